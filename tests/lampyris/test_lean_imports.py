"""Each in a fresh interpreter: a library is imported once."""

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LEAN = "from lampyris.lean_imports import NUMPY, without\nwith without(*NUMPY):\n    import numpy\n"


def test_numpy_computes_without_its_docstrings() -> None:
    code = "print(numpy.linalg.eigvals(numpy.diag([2.0, 3.0])).tolist(), numpy.sort([2, 1]).tolist())"

    assert run(LEAN + code) == "[2.0, 3.0] [1, 2]"


def test_msgspec_reads_and_writes_without_typing_extensions() -> None:
    code = """
from lampyris.lean_imports import MSGSPEC, hiding
with hiding(MSGSPEC):
    import msgspec
import sys
print("typing_extensions" in sys.modules)
class Point(msgspec.Struct):
    x: int
    y: float | None = None
print(msgspec.json.decode(b'{"x": 1}', type=Point))
import typing_extensions
"""

    assert run(code).splitlines() == ["False", "Point(x=1, y=None)"]


def test_what_was_left_out_can_be_imported_afterwards() -> None:
    code = "from numpy.typing import NDArray\nprint(NDArray[numpy.float32])"

    assert "numpy.ndarray" in run(LEAN + code)


def test_it_saves_modules() -> None:
    counted = "\nimport sys\nprint(len(sys.modules))"

    assert int(run(LEAN + counted)) < int(run("import numpy" + counted)) - 5


def test_a_module_that_is_there_already_stays() -> None:
    code = "import numpy.typing, sys\nbefore = sys.modules['numpy._typing']\n"

    assert run(code + LEAN + "print(sys.modules['numpy._typing'] is before)") == "True"
