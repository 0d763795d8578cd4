"""A trial in a process of its own: what it survives, and what it says then."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest

from lampyris.domain.bundle import MODEL_FILE
from lampyris.errors import (
    BadSignature,
    CorruptBundle,
    ExternalData,
    GateFailed,
    InvalidInstructions,
    NotOnnx,
    ProbeDisagrees,
    UnsignedUpload,
    UnsupportedModel,
    UploadGone,
    UploadRefused,
    UploadTooLarge,
)
from lampyris.publishing.confinement import Limits, Refused, TrialFailed, run_trial
from lampyris.serving.fetch import GRAPH_FILE

LIMITS = Limits(upload_bytes=2**30, memory_bytes=2**30, time_s=60)


def test_good_model_comes_back_with_its_artifact_and_signature(
    mlp: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    onnx.save(mlp(4, 8, 3), folder / MODEL_FILE)

    accepted = run_trial(folder, limits=LIMITS)

    assert [spec.name for spec in accepted.signature.inputs] == ["x"]
    assert (folder / GRAPH_FILE).exists()


def test_refusal_in_the_trial_is_a_refusal_here(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes(b"\x80pickle")

    with pytest.raises(NotOnnx, match="pickle"):
        run_trial(folder, limits=LIMITS)


def test_endless_loop_ends_when_its_time_is_up(endless: onnx.ModelProto, folder: Path) -> None:
    onnx.save(endless, folder / MODEL_FILE)

    with pytest.raises(UnsupportedModel, match="did not load and answer within 1 s"):
        run_trial(folder, limits=Limits(upload_bytes=2**30, memory_bytes=2**30, time_s=1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to RLIMIT_DATA")
def test_model_that_wants_more_memory_than_there_is_is_told_how_much_there_is(
    counting: Callable[[int], onnx.ModelProto], folder: Path
) -> None:
    onnx.save(counting(100_000_000), folder / MODEL_FILE)  # 800 MB

    with pytest.raises(UnsupportedModel, match=r"needs more than 512 MB of memory"):
        run_trial(folder, limits=Limits(upload_bytes=2**30, memory_bytes=2**29, time_s=60))


def test_module_beside_the_model_is_not_imported(
    mlp: Callable[..., onnx.ModelProto], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(mlp(4, 3), folder / MODEL_FILE)
    (folder / "onnxruntime.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(folder)

    assert run_trial(folder, limits=LIMITS).signature.inputs


def test_trial_that_breaks_says_nothing_about_the_model(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    with pytest.raises(TrialFailed, match="FileNotFoundError"):
        run_trial(empty, limits=LIMITS)


def test_memory_of_a_function_is_shared_out() -> None:
    limits = Limits.of_function(3008)

    assert limits.upload_bytes == 752 * 2**20
    assert limits.upload_bytes * 4 < 4096 * 2**20  # the disk: upload, artifact in two forms, live one
    assert limits.memory_bytes == 2752 * 2**20


REFUSALS = [
    NotOnnx(reason="it is empty."),
    ExternalData(tensor="w"),
    UnsupportedModel(reason="It is too new."),
    UploadTooLarge(size_bytes=2, limit_bytes=1),
    CorruptBundle(reason="It is not whole."),
    ProbeDisagrees(output="y", reason="it differs."),
    GateFailed(reason="The size is 2 bytes, where max_size_bytes asks for at most 1 bytes."),
    UnsignedUpload(file="model.onnx"),
    BadSignature(reason="it has 63 bytes."),
    InvalidInstructions(reason="it has 10,001 bytes."),
    UploadGone(key="inbox/iris/u1/bundle.json"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
def test_every_refusal_survives_the_way_between_processes(refusal: UploadRefused) -> None:
    carried = msgspec.json.decode(msgspec.json.encode(Refused.of(refusal)), type=Refused)

    assert type(carried.error()) is type(refusal)
    assert str(carried.error()) == str(refusal)


def test_no_kind_of_refusal_is_left_out_above() -> None:
    assert {type(refusal) for refusal in REFUSALS} == set(UploadRefused.__subclasses__())


def test_trial_is_told_nothing_of_the_functions_credentials(tmp_path: Path) -> None:
    (tmp_path / "shows.py").write_text(
        "import os, pathlib, sys\npathlib.Path(sys.argv[1], 'environ').write_text(' '.join(os.environ))\n"
    )
    code = (
        "import pathlib, sys\n"
        "from lampyris.publishing.confinement import Limits, _run_apart\n"
        "_run_apart('shows', pathlib.Path(sys.argv[1]), Limits(upload_bytes=1, memory_bytes=2**30, time_s=9))"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environ = {"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "secret", "TMPDIR": str(tmp_path)}

    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**environ, "PYTHONPATH": path}, check=True
    )

    told = (tmp_path / "environ").read_text().split()
    assert "TMPDIR" in told
    assert not [name for name in told if name.startswith("AWS")]
