"""Run models of others in a process apart, under limits that the kernel keeps.

onnxruntime is native code fed with what strangers upload. A crash, an endless loop or a model that takes all
the memory must end in a refusal that says so, and not in the end of the function.
"""

import ctypes
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import msgspec

from lampyris.domain.signature import Signature
from lampyris.errors import LampyrisError, UnsupportedModel, UploadRefused
from lampyris.publishing.first_run import ANSWERED_FILE
from lampyris.publishing.limits import OUT_OF_MEMORY

VERDICT_FILE = "verdict.json"
TUNED_FOLDER = "tuned"
# Where the artifact of the live version stands, if there is one to compare with.
LIVE_FOLDER = "live"
_LOG_FILE = "trial.log"
_LOG_SHOWN = 2000
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_HANDED_ON = ("LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR")
# What the function itself holds beside the trial, with room to spare.
_OWN_BYTES = 256 * 2**20
# Measured: a trial takes up to three times the model's size. A quarter of the memory leaves room for
# activations, and two copies fit on the disk that template.yaml gives.
_UPLOAD_SHARE = 4
# A model that takes longer could not answer within the 30 s of an HTTP API. The function itself has 180 s.
_TIME_S = 70
# Cold starts that are timed, no more once they have taken this long together, and how long one may take.
_COLD_STARTS, _COLD_STARTS_BUDGET_MS, _COLD_START_S = 3, 3000, 15


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much an upload may be (`upload_bytes`), and its trial may take of memory and time."""

    upload_bytes: int
    memory_bytes: int
    time_s: int

    @classmethod
    def of_function(cls, memory_mb: int) -> "Limits":
        """Share out a function's memory."""
        memory_bytes = memory_mb * 2**20
        return cls(
            upload_bytes=memory_bytes // _UPLOAD_SHARE,
            memory_bytes=memory_bytes - _OWN_BYTES,
            time_s=_TIME_S,
        )


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The artifact stands in the folder; this is what it promises, and what was measured of it.

    `measured` is by the names of `Evidence`; what could not be measured is not there.
    """

    signature: Signature
    onnxruntime: str
    tunable: bool
    measured: dict[str, float] = {}


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An UploadRefused on its way from one process to another."""

    code: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, refusal: UploadRefused) -> "Refused":
        return cls(code=refusal.code, facts=vars(refusal))

    def error(self) -> UploadRefused:
        kinds = {kind.code: kind for kind in UploadRefused.__subclasses__()}
        return kinds[self.code](**self.facts)


class TrialFailed(LampyrisError):
    """The trial itself broke, which says nothing about the model; `log` is what it left on stderr."""

    code = "trial-failed"

    def __init__(self, *, status: int, log: str) -> None:
        super().__init__(f"The trial ended with status {status}: {log}")
        self.status = status
        self.log = log


def keep_secrets() -> None:
    """Let no process of the same user, as trials are, look into this one, which holds credentials."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def run_trial(folder: Path, *, limits: Limits) -> Accepted:
    """Inspect, optimise and run the model in `folder`, where the artifact is then.

    Raises: UploadRefused; TrialFailed if the fault is not the model's.
    """
    status = _run_apart("lampyris.publishing.trial", folder, limits)
    memory_mb = limits.memory_bytes // 2**20
    if status == -signal.SIGALRM:
        raise UnsupportedModel(reason=f"The model did not load and answer within {limits.time_s} s.")
    if status in (OUT_OF_MEMORY, -signal.SIGKILL):
        raise UnsupportedModel(
            reason=f"The model needs more than {memory_mb:,} MB of memory to load and answer."
        )
    if status < 0:
        name = signal.Signals(-status).name
        raise UnsupportedModel(
            reason=f"onnxruntime crashed ({name}) on the model; it had {memory_mb:,} MB of memory."
        )
    verdict = msgspec.json.decode((folder / VERDICT_FILE).read_bytes(), type=Accepted | Refused)
    if isinstance(verdict, Refused):
        raise verdict.error()
    if "latency_p50_ms" not in verdict.measured:  # it ran on nothing, so there is nothing to run it on
        return verdict
    return msgspec.structs.replace(verdict, measured=verdict.measured | _cold_start(folder, limits))


def _cold_start(folder: Path, limits: Limits) -> dict[str, float]:
    """Return cold_start_ms, the median of a few, as `Evidence` calls it; nothing if one took too much.

    After the trial, not within it: the two together could take more memory than there is.
    Raises: TrialFailed.
    """
    elapsed_ms: list[float] = []
    while len(elapsed_ms) < _COLD_STARTS and sum(elapsed_ms) < _COLD_STARTS_BUDGET_MS:
        started_s = monotonic()
        if _run_apart("lampyris.publishing.cold_start", folder, replace(limits, time_s=_COLD_START_S)) != 0:
            return {}
        answered_s = float((folder / ANSWERED_FILE).read_text(encoding="ascii"))
        elapsed_ms.append((answered_s - started_s) * 1000)
    return {"cold_start_ms": round(median(elapsed_ms), 1)}


def run_tuning(folder: Path, *, limits: Limits) -> float | None:
    """Tune the artifact in `folder` to this CPU; return how many times as fast its form in TUNED_FOLDER is.

    None if there is no such form, or if making it and comparing it took too much.
    Raises: TrialFailed if the fault is not the model's.
    """
    status = _run_apart("lampyris.publishing.tuning", folder, limits)
    if status != 0:
        return None
    return msgspec.json.decode((folder / VERDICT_FILE).read_bytes(), type=float | None)


def _run_apart(module: str, folder: Path, limits: Limits) -> int:
    """Run a module on a folder; return 0, OUT_OF_MEMORY, or the signal that ended it as a negative number.

    Raises: TrialFailed if it ended in any other way.
    """
    log_file = folder / _LOG_FILE
    with log_file.open("wb") as log:
        # -P: no module may come from the working folder. The environment holds the function's credentials,
        # which are no model's business: only what Python and its libraries need is handed on. numpy's threads
        # would do nothing here but take memory.
        handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        status = subprocess.run(  # noqa: S603 - our own interpreter, our own module, numbers and a folder of ours
            [
                *(sys.executable, "-P", "-m", module, str(folder)),
                *(str(limits.upload_bytes), str(limits.memory_bytes), str(limits.time_s)),
            ],
            env=handed_on | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            check=False,
        ).returncode
    if status > 0 and status != OUT_OF_MEMORY:
        raise TrialFailed(status=status, log=log_file.read_text(errors="replace")[-_LOG_SHOWN:])
    return status


def limits_of_arguments(arguments: list[str]) -> tuple[Path, Limits]:
    """Read what `_run_apart` starts a module with."""
    folder, upload_bytes, memory_bytes, time_s = arguments
    return Path(folder), Limits(
        upload_bytes=int(upload_bytes), memory_bytes=int(memory_bytes), time_s=int(time_s)
    )
