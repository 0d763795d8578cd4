import subprocess
import sys
from pathlib import Path

from lampyris_local.cloud.guard import Guard

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_guard_kills_what_it_watched_and_removes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    (folder / "deep").mkdir(parents=True)

    with Guard(folder) as guard:
        process = subprocess.Popen(SLEEPER, start_new_session=True)
        guard.watch(process.pid)

    assert process.wait(10) == -9
    assert not folder.exists()


def test_guard_leaves_alone_what_it_was_told_to_forget(tmp_path: Path) -> None:
    with Guard(tmp_path / "left") as guard:
        process = subprocess.Popen(SLEEPER, start_new_session=True)
        guard.watch(process.pid)
        guard.forget(process.pid)

    still_there = process.poll() is None
    process.kill()
    process.wait()
    assert still_there
