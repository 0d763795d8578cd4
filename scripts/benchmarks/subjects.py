"""The models that are measured, published by the publish function's own code."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import onnx
from rich.console import Console

import resnet50
from lampyris.domain.layout import FILES, Upload, blob_key
from lampyris.domain.manifest import Artifact, Manifest
from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.store import Store
from lampyris.domain.tensors import NUMPY_OF, Array, tensor_of
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial, run_tuning
from lampyris.publishing.wishes import grant
from lampyris.serving.cpu import this_cpu
from perceptron import perceptron
from processes import Failed

ROOT = Path(__file__).resolve().parents[2]
_PUBLISH_MEMORY_MB = 4096
# A run of this one takes some 50 µs, and its input has 3,072 floats.
_SMALL_WIDTHS = (3072, 128, 10)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A published model; `artifact` holds the files of `form`, which is what is loaded on this CPU.

    `request` holds the body of one infer call in JSON, `tensor` the bytes of the same input.
    """

    manifest: Manifest
    form: Artifact
    artifact: Path
    request: Path
    tensor: Path

    @property
    def name(self) -> str:
        return self.manifest.model

    @property
    def input(self) -> TensorSpec:
        (spec,) = self.manifest.signature.inputs
        return spec

    @property
    def size_bytes(self) -> int:
        """What a cold start fetches."""
        return sum(file.stat().st_size for file in self.artifact.iterdir())

    @property
    def label(self) -> str:
        return f"{self.name} ({self.size_bytes / 1e6:.1f} MB)"

    @property
    def digests(self) -> list[str]:
        """Name the blobs: the graph's, and that of the weights where they stand apart."""
        artifact = self.form
        return [artifact.graph.digest, *([artifact.weights.digest] if artifact.weights else [])]


class Subjects:
    """Publishes each model when it is first asked for."""

    def __init__(self, store: Store, folder: Path, console: Console) -> None:
        self._store = store
        self._folder = folder
        self._console = console
        self._published: dict[str, Subject] = {}

    def digits(self) -> Subject:
        """Train, compress and publish what the recipe of the digits makes."""
        return self._once("digits", self._build_digits)

    def resnet50_int8(self) -> Subject:
        return self._model("resnet50-int8", resnet50.write_int8)

    def resnet50_fp32(self) -> Subject:
        return self._model("resnet50-fp32", resnet50.write_fp32)

    def small_perceptron(self) -> Subject:
        return self.perceptron("perceptron", _SMALL_WIDTHS)

    def perceptron(self, name: str, widths: tuple[int, ...]) -> Subject:
        seed = sum(name.encode())  # equal models would share their blobs, and their session
        return self._model(name, lambda path: onnx.save(perceptron(widths, seed=seed), path))

    def _once(self, name: str, upload: Callable[[Upload], Upload]) -> Subject:
        if name not in self._published:
            with self._console.status(f"Making and publishing {name}"):
                self._published[name] = self._publish(
                    upload(Upload(model=name, upload="bench", file="model.onnx"))
                )
        return self._published[name]

    def _model(self, name: str, write: Callable[[Path], None]) -> Subject:
        def make(upload: Upload) -> Upload:
            path = self._folder / f"{name}.onnx"
            write(path)
            self._store.put(upload.key, path.read_bytes())
            return upload

        return self._once(name, make)

    def _build_digits(self, upload: Upload) -> Upload:
        from lampyris_build.pipeline import build  # noqa: PLC0415 - torch, for this alone
        from lampyris_build.recipe import load_recipe  # noqa: PLC0415 - as above

        recipe = load_recipe(ROOT / "recipes" / "digits.toml")
        result = build(recipe, self._folder / "digits", console=Console(quiet=True))
        upload = msgspec.structs.replace(upload, file="bundle.json")
        for file in (result.bundle_dir / FILES).iterdir():
            self._store.put(upload.file_key(file.name), file.read_bytes())
        self._store.put(upload.key, (result.bundle_dir / upload.file).read_bytes())
        return upload

    def _form(self, manifest: Manifest, limits: Limits) -> Artifact:
        """Make the form for this CPU, where there can be one, as the publish function would by now."""
        cpu = this_cpu()
        if not manifest.artifact.tunable or cpu is None:
            return manifest.artifact
        tuned = grant(
            manifest.artifact, self._store, cpu=cpu, tuning=partial(run_tuning, limits=limits), clock=_now
        )
        return manifest.artifact if tuned is None or tuned.artifact is None else tuned.artifact

    def _publish(self, upload: Upload) -> Subject:
        limits = Limits.of_function(_PUBLISH_MEMORY_MB)
        manifest = admit(
            upload,
            self._store,
            by="a benchmark",
            limit_bytes=limits.upload_bytes,
            trial=partial(run_trial, limits=limits),
            clock=_now,
        )
        if not isinstance(manifest, Manifest):
            raise Failed(f"{upload.model} was refused: {manifest.detail}")
        subject = Subject(
            manifest=manifest,
            form=self._form(manifest, limits),
            artifact=self._folder / f"{upload.model}-artifact",
            request=self._folder / f"{upload.model}-request.json",
            tensor=self._folder / f"{upload.model}-tensor.bin",
        )
        subject.artifact.mkdir()
        for name, digest in zip(("graph.onnx", "weights.bin"), subject.digests, strict=False):
            (subject.artifact / name).write_bytes(self._store.get(blob_key(digest)).data)
        row = _one_row(manifest)
        subject.tensor.write_bytes(row.tobytes())
        subject.request.write_bytes(msgspec.json.encode({"inputs": [tensor_of(subject.input, row)]}))
        return subject


def _now() -> datetime:
    return datetime.now(UTC)


def _one_row(manifest: Manifest) -> Array:
    """Make an input: pixels of noise, or normal numbers."""
    (spec,) = manifest.signature.inputs
    shape = [1 if size == DYNAMIC else size for size in spec.shape]
    random = np.random.default_rng(0)
    pixels = spec.datatype == "UINT8"
    values = random.integers(0, 256, size=shape) if pixels else random.normal(size=shape)
    return values.astype(NUMPY_OF[spec.datatype])
