"""A cold start, timed in processes of their own after the trial."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from lampyris.domain.bundle import MODEL_FILE
from lampyris.publishing.confinement import Limits, run_trial
from lampyris.publishing.first_run import ANSWERED_FILE
from lampyris.publishing.limits import OUT_OF_MEMORY
from lampyris.serving.fetch import GRAPH_FILE

LIMITS = Limits(upload_bytes=2**30, memory_bytes=2**30, time_s=60)
ModelOf = Callable[..., onnx.ModelProto]


def test_cold_start_takes_longer_than_a_run(mlp: ModelOf, folder: Path) -> None:
    onnx.save(mlp(300, 300, 3), folder / MODEL_FILE)  # with its weights in a second file

    measured = run_trial(folder, limits=LIMITS).measured

    assert measured["cold_start_ms"] > measured["latency_p50_ms"]


def test_model_of_strings_has_a_cold_start(model_of: ModelOf, folder: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in "xy")
    onnx.save(model_of([helper.make_node("Identity", ["x"], ["y"])], [x], [y]), folder / MODEL_FILE)

    assert "cold_start_ms" in run_trial(folder, limits=LIMITS).measured


def test_model_that_ran_on_nothing_has_no_cold_start(model_of: ModelOf, folder: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2, 2])  # zeros are of another shape
    model = model_of([helper.make_node("Reshape", ["x", "shape"], ["y"])], [x], [y], [shape])
    onnx.save(model, folder / MODEL_FILE)

    assert run_trial(folder, limits=LIMITS).measured.keys() == {"size_bytes"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to RLIMIT_DATA")
@pytest.mark.parametrize(("memory_mb", "status"), [(1024, 0), (400, OUT_OF_MEMORY)])
def test_process_keeps_to_its_memory(
    counting: Callable[[int], onnx.ModelProto], folder: Path, memory_mb: int, status: int
) -> None:
    (folder / GRAPH_FILE).write_bytes(counting(50_000_000).SerializeToString())  # 400 MB

    process = subprocess.run(
        [sys.executable, "-m", "lampyris.publishing.cold_start", folder, "0", str(memory_mb * 2**20), "20"],
        check=False,
        capture_output=True,
    )

    assert process.returncode == status
    assert (folder / ANSWERED_FILE).exists() == (status == 0)


def test_process_imports_what_the_predict_function_does_and_little_more() -> None:
    code = "import sys, lampyris.publishing.cold_start; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not {"onnx", "pathlib", "subprocess", "zipfile", "boto3", "numpy._typing"} & set(modules.split())
