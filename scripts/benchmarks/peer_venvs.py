"""The peers' environments: one for each, as their pins exclude one another, and apart from the project's."""

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from processes import HERE, Failed

PEERS = HERE / "peers"
_VENVS = HERE.parents[1] / ".venv-peers"


def python_of(peer: str, console: Console) -> Path:
    """Return the interpreter of a peer's environment, made from `peers/{peer}.txt` if that has changed.

    Raises: Failed if pip fails.
    """
    pins = (PEERS / f"{peer}.txt").read_text(encoding="utf-8")
    venv = _VENVS / peer
    python, stamp = venv / "bin" / "python", venv / "installed.txt"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == pins):
        with console.status(f"Installing {peer} into {venv.relative_to(HERE.parents[1])}"):
            _run(sys.executable, "-m", "venv", "--clear", venv)
            _run(python, "-m", "pip", "install", "-qq", "--no-deps", "-r", PEERS / f"{peer}.txt")
        stamp.write_text(pins, encoding="utf-8")
    return python


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))} failed. It said: {done.stderr.strip()[-1000:]}")
