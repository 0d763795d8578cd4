"""A version that a job trained, measured by another."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from lampyris.domain.bundle import Bundle
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Manifest
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial

RECIPE = """
name = "iris"
seed = 1
dataset = { source = "sklearn", name = "iris" }
model = { architecture = "mlp", hidden = [8] }
training = { epochs = 3, batch_size = 16, learning_rate = 1e-2 }
"""


@pytest.fixture
def published(world: Any) -> Bundle:
    """What a train job published, as its bundle told."""
    ended = world.run(world.submit("train", {"kind": "train", "recipe": RECIPE}))
    upload = Upload(model="iris", upload=ended.summary["upload"], file="bundle.json")
    limits = Limits.of_function(3008)
    manifest = admit(
        upload,
        world.store,
        by="a test",
        limit_bytes=limits.upload_bytes,
        trial=partial(run_trial, limits=limits),
        clock=lambda: datetime.now(UTC),
    )
    assert isinstance(manifest, Manifest)
    return msgspec.json.decode(world.store.get(upload.key).data, type=Bundle)


def test_published_version_scores_what_its_build_measured(world: Any, published: Bundle) -> None:
    spec = {"kind": "evaluate", "model": "iris", "recipe": RECIPE}
    other = spec | {"recipe": RECIPE.replace('"iris" }', '"wine" }')}

    ended = world.run(world.submit("evaluate", spec, key="same"))
    unfit = world.run(world.submit("evaluate", other, key="other"))
    unknown = world.run(world.submit("evaluate", spec | {"version": "7"}, key="unknown"))

    assert (ended.state, ended.failure) == ("succeeded", None)
    assert ended.summary["scores"]["accuracy"] == published.metrics["fp32"]["accuracy"]
    assert ended.summary["version"] == 1
    metrics = msgspec.json.decode(world.store.get(ended.results["metrics"]).data)
    assert metrics["metrics"]["score"] == ended.summary["score"]
    assert unfit.failure.code == "dataset-broken"
    assert unknown.failure.code == "version-not-found"
