"""Jobs that build in earnest: digits, and a net so small that an epoch takes milliseconds."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.console import Console

from lampyris.domain.bundle import Bundle
from lampyris.jobs.job import Job
from lampyris_build.jobs.following import Following
from lampyris_build.pipeline import build
from lampyris_build.recipe import read_recipe
from lampyris_build.stages import TimeIsUp

RECIPE = """
name = "digits"
seed = 5

[dataset]
source = "sklearn"
name = "digits"

[model]
architecture = "mlp"
hidden = [8]

[training]
epochs = 3
batch_size = 256
learning_rate = 1e-2
"""
STEPS = 18


def spec(recipe: str = RECIPE, **others: object) -> dict[str, Any]:
    return {"kind": "train", "recipe": recipe, **others}


def bundle_of(world: Any, job: Job) -> Bundle:
    data = world.store.get(f"inbox/digits/{job.summary['upload']}/bundle.json").data
    return msgspec.json.decode(data, type=Bundle)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the model that the same build makes without a job."""
    out = tmp_path_factory.mktemp("serial") / "digits"
    built = build(read_recipe(RECIPE, "here"), out, console=Console(quiet=True))
    return built.bundle.files["model.onnx"].digest


def test_job_ends_with_the_bundle_of_the_same_build_in_the_inbox(world: Any, uninterrupted: str) -> None:
    ended = world.run(world.submit("train", spec()))

    assert (ended.state, ended.failure) == ("succeeded", None)
    assert bundle_of(world, ended).files["model.onnx"].digest == uninterrupted
    assert 0 < ended.summary["score"] < 1
    assert all(world.store.get(key).data for key in ended.results.values())
    assert not [key for key in world.keys("jobs/") if "checkpoint" in key]


def test_job_of_many_invocations_one_without_any_time_ends_in_the_same_weights(
    world: Any, uninterrupted: str, time_for: Callable[[int], Callable[[], float]]
) -> None:
    world.remaining = lambda number: (lambda: 0.0) if number == 3 else time_for(5)

    ended = world.run(world.submit("train", spec()))

    assert ended.state == "succeeded"
    assert ended.attempts > 3
    assert ended.fruitless == 0
    assert bundle_of(world, ended).files["model.onnx"].digest == uninterrupted


def test_killed_worker_is_followed_by_one_that_goes_on_from_its_last_checkpoint(
    world: Any, uninterrupted: str
) -> None:
    kills = iter([4, 9, 1, 3])

    class Fatal(Following):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named, keep_every_s=0)
            self._left = next(kills, 1000)

        def advanced(self, step: int, steps_: int, metric: tuple[str, float] | None) -> None:
            super().advanced(step, steps_, metric)
            self._left -= 1
            if self._left == 0:
                raise world.killed

    world.following = Fatal

    ended = world.run(world.submit("train", spec()))

    assert ended.state == "succeeded"
    assert ended.attempts == 5
    assert bundle_of(world, ended).files["model.onnx"].digest == uninterrupted


def test_job_goes_on_after_the_last_part_that_was_done(world: Any, tmp_path: Path) -> None:
    network = RECIPE[RECIPE.index("[model]") :]
    recipe = RECIPE.replace(network, '[model]\narchitecture = "logistic-regression"\n[evaluation]\nfolds = 2')
    serial = build(read_recipe(recipe, "here"), tmp_path / "serial", console=Console(quiet=True))

    class OnePart(Following):
        def part_done(self) -> None:
            super().part_done()
            raise TimeIsUp

    world.following = OnePart

    ended = world.run(world.submit("train", spec(recipe, compute="batch")))

    parts = ["exported", "measured", "fold 1", "fold 2"]
    assert (ended.state, ended.failure, ended.attempts) == ("succeeded", None, len(parts) + 1)
    assert bundle_of(world, ended).files["model.onnx"].digest == serial.bundle.files["model.onnx"].digest
    assert ended.summary["score"] == serial.variants["fp32"].score


@pytest.mark.parametrize("left_s", [0.0, -3600.0])
def test_worker_without_time_does_nothing_and_the_job_ends_with_the_reason(world: Any, left_s: float) -> None:
    world.remaining = lambda _: lambda: left_s

    ended = world.run(world.submit("train", spec()))

    assert ended.state == "failed"
    assert ended.failure.code == "out-of-time"
    assert ended.attempts == ended.max_attempts


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "digits"\n\n[model]', 'name = "digit"\n\n[model]', "dataset.name"),
        ("epochs = 3", "epochs = 0", "training.epochs"),
        (
            'architecture = "mlp"\nhidden = [8]',
            'architecture = "torch"\nmodule = "os:system"',
            "code of your own",
        ),
        (
            'architecture = "mlp"\nhidden = [8]',
            'architecture = "sklearn"\nestimator = "subprocess:run"',
            "code of your own",
        ),
        (
            'architecture = "mlp"\nhidden = [8]',
            'architecture = "sklearn"\nestimator = "sklearn.datasets:fetch_file"',
            "no estimator",
        ),
        (
            'architecture = "mlp"\nhidden = [8]',
            'architecture = "onnx"\npath = "/etc/x.onnx"',
            "your own machine",
        ),
        ('source = "sklearn"\nname = "digits"', 'source = "npz"\npath = "/etc/passwd"', "no job reads"),
        (
            'source = "sklearn"\nname = "digits"',
            'source = "npz"\npath = "s3://other/data/x.npz"',
            "no job reads",
        ),
        (
            'source = "sklearn"\nname = "digits"',
            'source = "npz"\npath = "s3://the-bucket/blobs/x.npz"',
            "no job reads",
        ),
        (
            'source = "sklearn"\nname = "digits"',
            'source = "images"\npath = "s3://the-bucket/uploads/"',
            "no job reads",
        ),
        ("[model]", "[evaluation]\nfolds = 5000\n\n[model]", "1,000 parts at most"),
    ],
)
def test_recipe_that_no_job_runs_is_refused_at_once_with_what_is_wrong(
    world: Any, old: str, new: str, says: str
) -> None:
    assert old in RECIPE

    ended = world.run(world.submit("train", spec(RECIPE.replace(old, new))))

    assert (ended.state, ended.failure.code, ended.attempts) == ("failed", "invalid-recipe", 1)
    assert says in ended.failure.detail
    assert "the-bucket" not in ended.failure.detail


def npz(count: int = 60) -> bytes:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    buffer = BytesIO()
    np.savez(
        buffer, x_train=(rng.normal(size=(count, 4)) + labels[:, None] * 3).astype(np.float32), y_train=labels
    )
    return buffer.getvalue()


def test_data_come_from_the_bucket_and_no_place_is_told(world: Any) -> None:
    world.store.put("data/points.npz", npz())
    recipe = RECIPE.replace('source = "sklearn"\nname = "digits"', 'source = "npz"\npath = "of my own.npz"')

    job = world.submit("train", spec(recipe, data="data/points.npz", publish="no"))
    lost = world.submit("train", spec(recipe, data="data/none.npz"), key="lost")
    ended, lost = world.run(job), world.run(lost)

    assert (ended.state, ended.failure) == ("succeeded", None)
    assert not world.keys("inbox/")
    assert world.store.get(ended.results["files"] + "model.onnx").data
    assert lost.failure.code == "dataset-missing"
    assert lost.failure.detail.startswith("There is no dataset at data/none.npz")


def test_job_reaches_no_host_but_public_ones(world: Any) -> None:
    private = f'source = "npz"\npath = "https://127.0.0.1/x.npz"\nsha256 = "{"0" * 64}"'

    ended = world.run(
        world.submit("train", spec(RECIPE.replace('source = "sklearn"\nname = "digits"', private)))
    )

    assert (ended.state, ended.failure.code, ended.attempts) == ("failed", "dataset-missing", 1)
    assert "not on the public internet" in ended.failure.detail


def test_broken_data_are_told_without_the_folder_that_they_were_in(world: Any) -> None:
    world.store.put("data/points.npz", b"no archive")
    recipe = RECIPE.replace('source = "sklearn"\nname = "digits"', 'source = "npz"\npath = "x"')

    ended = world.run(world.submit("train", spec(recipe, data="data/points.npz")))

    assert ended.failure.code == "dataset-broken"
    assert "/" not in ended.failure.detail
    assert "points.npz" in ended.failure.detail
