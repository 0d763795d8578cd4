"""One local cloud for all tests of the command line, from the real template, and a model to give it."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from lampyris.domain.bundle import MODEL_FILE, PROBE_FILE, Bundle, BundleFile, Probe
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import tensor_of
from lampyris_local.assets import asset
from lampyris_local.cli.commands import app
from lampyris_local.cloud.local_cloud import LocalCloud

LABELS = ("dark", "bright")
IMAGE = TensorSpec(name="image", datatype="UINT8", shape=(-1, 2, 2, 1))
SCORES = TensorSpec(name="scores", datatype="FP32", shape=(-1, 2))

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(asset("template.yaml")) as running:
        yield running


@pytest.fixture(scope="session")
def run(cloud: LocalCloud) -> Run:
    """Run a command against the local cloud."""

    def run(*arguments: object) -> Result:
        runner = CliRunner(env={"LAMPYRIS_ENDPOINT": cloud.api_url})
        return runner.invoke(app, [str(each) for each in arguments])

    return run


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says how dark and how bright a picture of 2 x 2 pixels is."""
    path = tmp_path_factory.mktemp("onnx") / "brightness.onnx"
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["bright"]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 2, 2, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [
            numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
            numpy_helper.from_array(np.array([255], dtype=np.float32), "white"),
            numpy_helper.from_array(np.array([1], dtype=np.float32), "one"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, onnx_file: Path) -> Path:
    """The same model as a bundle of model `brightness`, with labels and a probe."""
    picture = np.array([[[[255], [255]], [[0], [255]]]], dtype=np.uint8)
    probe = Probe(
        inputs=(tensor_of(IMAGE, picture),),
        outputs=(tensor_of(SCORES, np.array([[0.25, 0.75]], dtype=np.float32)),),
        rtol=1e-3,
        atol=1e-3,
    )
    contents = {MODEL_FILE: onnx_file.read_bytes(), PROBE_FILE: msgspec.json.encode(probe)}
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "files").mkdir()
    for name, data in contents.items():
        (folder / "files" / name).write_bytes(data)
    document = Bundle(
        model="brightness",
        created_at=datetime.now(UTC),
        files={
            name: BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
            for name, data in contents.items()
        },
        signature=Signature(inputs=(IMAGE,), outputs=(SCORES,), labels=LABELS),
        metrics={"fp32": {"accuracy": 0.875, "size_bytes": 1000.0}},
    )
    (folder / "bundle.json").write_bytes(msgspec.json.encode(document))
    return folder


@pytest.fixture(scope="session")
def published(run: Run, bundle: Path) -> str:
    """The name of a model with one version, from the bundle."""
    assert run("publish", bundle, "--model", "published").exit_code == 0
    return "published"


@pytest.fixture
def bright_png(tmp_path: Path) -> Path:
    path = tmp_path / "bright.png"
    Image.new("L", (2, 2), 255).save(path)
    return path
