"""What happens once for each execution environment."""

import subprocess
import sys
from pathlib import Path

import pytest

PUBLIC_KEY = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
# Gives up, for this process and what it starts, what lets root read any process: CAP_SYS_PTRACE,
# CAP_SYS_ADMIN and CAP_PERFMON (linux/capability.h).
LIKE_ANYBODY = """
import ctypes, os
if os.geteuid() == 0:
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    for capability in (19, 21, 38):
        libc.prctl(24, capability)  # PR_CAPBSET_DROP
        for kind in range(3):
            sets[capability // 32 * 3 + kind] &= ~(1 << capability % 32)
    libc.capset(header, sets)
"""


def start(tmp_path: Path, code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a process with the function's settings."""
    environ = {
        "LAMPYRIS_BUCKET": "registry",
        "AWS_REGION": "eu-central-1",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": ":".join(sys.path),
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=environ | settings, capture_output=True, check=False, text=True
    )


def test_function_that_starts_loads_neither_onnx_nor_onnxruntime_nor_boto3_nor_cryptography(
    tmp_path: Path,
) -> None:
    loaded = start(tmp_path, "import sys, lampyris.handlers.publish; print(*sys.modules)").stdout.split()

    assert "lampyris.handlers.publish" in loaded
    assert not {"onnx", "onnxruntime", "boto3", "pydantic", "torch", "cryptography"} & set(loaded)


def test_keys_come_from_the_settings(tmp_path: Path) -> None:
    code = "from lampyris.handlers.publish import app_from_env; print(app_from_env().trusted_keys[0].digest)"

    started = start(tmp_path, code, LAMPYRIS_TRUSTED_KEYS=PUBLIC_KEY)

    assert len(started.stdout.strip()) == 64


def test_key_that_is_none_stops_the_function_and_says_what_it_takes(tmp_path: Path) -> None:
    code = "from lampyris.handlers.publish import app_from_env; app_from_env()"

    started = start(tmp_path, code, LAMPYRIS_TRUSTED_KEYS="nonsense")

    assert started.returncode != 0
    assert "'nonsense' is no public key of Ed25519. LAMPYRIS_TRUSTED_KEYS takes" in started.stderr


def test_what_a_killed_invocation_left_on_the_disk_is_removed(tmp_path: Path) -> None:
    left, others = tmp_path / "lampyris-publish-x1", tmp_path / "somebody-elses"
    for folder in (left, others):
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"large")

    start(tmp_path, "from lampyris.handlers.publish import app_from_env; app_from_env()")

    assert not left.exists()
    assert others.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_trial_cannot_read_the_functions_environment(tmp_path: Path) -> None:
    code = LIKE_ANYBODY + (
        "import subprocess; from lampyris.handlers.publish import app_from_env; app_from_env();"
        "print(subprocess.run(['cat', f'/proc/{os.getpid()}/environ']).returncode)"
    )

    assert start(tmp_path, code).stdout.strip() == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows it")
def test_function_lets_nobody_look_into_its_process(tmp_path: Path) -> None:
    code = (
        "import ctypes; from lampyris.handlers.publish import app_from_env; app_from_env();"
        "print(ctypes.CDLL(None).prctl(3))"  # PR_GET_DUMPABLE
    )

    assert start(tmp_path, code).stdout.strip() == "0"
