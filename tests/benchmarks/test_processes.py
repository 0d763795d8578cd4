import os
import sys
import time
from pathlib import Path

import pytest

from processes import Failed, first_answer_s, running, script

ANSWER = "import os; os.write(int(os.environ['BENCH_ANSWERS']), b'%s\\n')"
CORES = os.sched_getaffinity(0)


def python(source: str) -> list[str]:
    return [sys.executable, "-S", "-c", source]


def test_child_answers_what_it_is_asked_and_may_log_beside_it() -> None:
    echo = (
        "import os\n"
        "while True:\n"
        "    print('log')\n"
        "    os.write(int(os.environ['BENCH_ANSWERS']), input().encode() + b'\\n')"
    )

    with running(python(echo), os.environ, CORES) as child:
        child.ask(1)
        first = child.answer()
        child.ask([2, 3])
        second = child.answer()

    assert (first, second) == (1, [2, 3])


def test_first_answer_is_waited_for_and_not_the_end() -> None:
    slow_to_end = ANSWER % "null" + "; import time; time.sleep(0.5)"

    started_s = time.perf_counter()
    duration_s = first_answer_s(python(slow_to_end), os.environ, CORES)

    assert duration_s + 0.5 <= time.perf_counter() - started_s


def test_child_runs_on_the_cores_that_it_may_use_and_its_parent_where_it_was() -> None:
    core = min(CORES)
    tell = "import os; os.write(int(os.environ['BENCH_ANSWERS']), b'%r\\n' % list(os.sched_getaffinity(0)))"

    with running(python(tell), os.environ, {core}) as child:
        told = child.answer()

    assert told == [core]
    assert os.sched_getaffinity(0) == CORES


def test_child_that_ends_without_an_answer_is_told_with_its_last_words() -> None:
    with (
        pytest.raises(Failed, match=r"(?s)python.* ended too early\. It said: no luck"),
        running(python("raise SystemExit('no luck')"), os.environ, CORES) as child,
    ):
        child.answer()


def test_child_that_ends_badly_after_its_answer_fails() -> None:
    with pytest.raises(Failed, match="failed with exit code 3"):
        first_answer_s(python(ANSWER % "null" + "; raise SystemExit(3)"), os.environ, CORES)


def test_command_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(Failed, match="/no/such/program cannot be started"),
        running(["/no/such/program"], os.environ, CORES),
    ):
        pass


def test_descendants_end_with_the_context() -> None:
    parent = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "os.write(int(os.environ['BENCH_ANSWERS']), b'%d\\n' % child.pid); time.sleep(60)"
    )

    with running(python(parent), os.environ, CORES) as child:
        grandchild = child.answer()

    until_s = time.monotonic() + 10
    while _alive(grandchild) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not _alive(grandchild)


def _alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended may wait for somebody to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_scripts_run_with_the_projects_python() -> None:
    program, path, *arguments = script("child_warm.py", "7")

    assert (program, arguments) == (sys.executable, ["7"])
    assert Path(path).is_file()
