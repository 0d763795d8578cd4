"""Real models in a real registry, small enough to be made for every test."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_store import memory_store
from lampyris.domain.manifest import Artifact, Change, Manifest
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.publishing.optimise import optimise
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs
from lampyris.registry.changes import Author
from lampyris.registry.versions import commit_version
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

FEATURES = 8
LABELS = ("dark", "dim", "lit")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Publish = Callable[..., Manifest]


def _linear(weights_FC: np.ndarray) -> onnx.ModelProto:
    """Make softmax(features @ weights): FP32 (n, F) in, FP32 (n, C) out."""
    features, classes = weights_FC.shape
    nodes = [
        helper.make_node("MatMul", ["features", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weights_FC, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _picture() -> onnx.ModelProto:
    """Make the mean brightness of a picture, as two probabilities: UINT8 (n, 4, 4, 1) in, FP32 (n, 2) out."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["lit"]),
        helper.make_node("Sub", ["one", "lit"], ["dark"]),
        helper.make_node("Concat", ["dark", "lit"], ["p"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "picture",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 4, 4, 1])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array(1 / 255, np.float32), "scale"),
            numpy_helper.from_array(np.array(1, np.float32), "one"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def store() -> Store:
    return memory_store()


@pytest.fixture
def publish(store: Store, tmp_path: Path) -> Publish:
    """Publish a model to `store`, as the publish function would; again for its next version."""

    def publish_model(
        name: str, *, model: onnx.ModelProto, signature: Signature, upload: str | None = None
    ) -> Manifest:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        onnx.save(model, folder / "model.onnx")
        optimise(folder / "model.onnx", limit_bytes=2**30)
        files = [folder / name for name in (GRAPH_FILE, WEIGHTS_FILE)]
        graph, *weights = put_blobs(store, folder.name, [file for file in files if file.exists()])
        draft = Manifest(
            model=name,
            version=0,
            created_at=NOW,
            upload=upload or folder.name,
            source="0" * 64,
            signature=signature,
            artifact=Artifact(
                graph=graph, weights=next(iter(weights), None), onnxruntime=onnxruntime.__version__
            ),
            published=Change(
                id=f"publish:{name}:{upload or folder.name}",
                action="publish",
                by="a test",
                reason="to test",
                at=NOW,
                audited=0,
            ),
        )
        manifest = commit_version(store, draft, None)
        assert isinstance(manifest, Manifest)
        publish_to_alias(
            store,
            manifest,
            alias="live",
            author=Author(key=f"live:{name}:{draft.upload}", by="a test", reason="to test"),
            now=NOW,
        )
        return manifest

    return publish_model


@pytest.fixture
def publish_linear(publish: Publish) -> Publish:
    """Publish a classifier of numbers into LABELS; `seed` draws its weights, `width` makes it larger."""

    def publish_seed(name: str = "glow", *, seed: int = 0, width: int = FEATURES) -> Manifest:
        weights_FC = np.random.default_rng(seed).normal(size=(width, len(LABELS))).astype(np.float32)
        signature = Signature(
            inputs=(TensorSpec(name="features", datatype="FP32", shape=(-1, width)),),
            outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, len(LABELS))),),
            labels=LABELS,
        )
        return publish(name, model=_linear(weights_FC), signature=signature)

    return publish_seed


@pytest.fixture
def publish_picture(publish: Publish) -> Publish:
    """Publish a model that tells how bright a 4 x 4 picture is."""

    def publish_named(name: str = "picture") -> Manifest:
        signature = Signature(
            inputs=(TensorSpec(name="image", datatype="UINT8", shape=(-1, 4, 4, 1)),),
            outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 2)),),
            labels=("dark", "lit"),
        )
        return publish(name, model=_picture(), signature=signature)

    return publish_named
