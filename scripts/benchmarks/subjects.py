"""The models that are measured, published by the publish function's own code."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import create_connection, socket

import msgspec
import numpy as np
import resnet50
from rich.console import Console

from lampyris.adapters.object_store import ObjectStore
from lampyris.domain.layout import FILES, Upload
from lampyris.domain.manifest import Blob, Manifest
from lampyris.domain.signature import DYNAMIC
from lampyris.domain.tensors import NUMPY_OF, tensor_of
from lampyris.http.open_inference.messages import InferRequest
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial
from lampyris.serving.fetch import fetch

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "benchmark"
_PUBLISH_MEMORY_MB = 4096
_START_LIMIT_S = 30


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A published model; `artifact` holds its optimised files, `request` the body of one infer call."""

    manifest: Manifest
    artifact: Path
    request: Path

    @property
    def name(self) -> str:
        return self.manifest.model

    @property
    def size_bytes(self) -> int:
        """What a cold start fetches."""
        return sum(file.stat().st_size for file in self.artifact.iterdir())


@contextmanager
def store_process(folder: Path) -> Iterator[str]:
    """Serve a folder of buckets in a process of its own; yield its address."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(Path(__file__).with_name("store.py"))
    server = subprocess.Popen([sys.executable, script, str(folder), str(port)])
    try:
        _await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _await_port(port: int) -> None:
    for _ in range(_START_LIMIT_S * 10):
        try:
            create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    sys.exit("The store did not start.")


def make_subjects(store: ObjectStore, folder: Path, console: Console) -> list[Subject]:
    """Build and publish the digits model and the ResNet-50-sized one."""
    return [_digits(store, folder, console), _resnet50(store, folder, console)]


def _digits(store: ObjectStore, folder: Path, console: Console) -> Subject:
    from lampyris_build.pipeline import build  # noqa: PLC0415 - torch, for this alone
    from lampyris_build.recipe import load_recipe  # noqa: PLC0415 - as above

    result = build(load_recipe(ROOT / "recipes" / "digits.toml"), folder / "digits", console=console)
    upload = Upload(model="digits", upload="bench", file="bundle.json")
    for file in (result.bundle_dir / FILES).iterdir():
        store.put(upload.file_key(file.name), file.read_bytes())
    store.put(upload.key, (result.bundle_dir / upload.file).read_bytes())
    return _publish(upload, store, folder)


def _resnet50(store: ObjectStore, folder: Path, console: Console) -> Subject:
    with console.status("Quantising a model of ResNet-50's shapes"):
        model = folder / "resnet50.onnx"
        resnet50.write_int8(model)
        upload = Upload(model="resnet50", upload="bench", file=model.name)
        store.put(upload.key, model.read_bytes())
        return _publish(upload, store, folder)


def _publish(upload: Upload, store: ObjectStore, folder: Path) -> Subject:
    limits = Limits.of_function(_PUBLISH_MEMORY_MB)
    manifest = admit(
        upload,
        store,
        limit_bytes=limits.upload_bytes,
        trial=partial(run_trial, limits=limits),
        clock=lambda: datetime.now(UTC),
    )
    if not isinstance(manifest, Manifest):
        sys.exit(f"{upload.model} was refused: {manifest.detail}")
    artifact = folder / f"{upload.model}-artifact"
    fetch(manifest.artifact, store, artifact)
    request = folder / f"{upload.model}-request.json"
    request.write_bytes(msgspec.json.encode(_one_row(manifest)))
    return Subject(manifest=manifest, artifact=artifact, request=request)


def _one_row(manifest: Manifest) -> InferRequest:
    (spec,) = manifest.signature.inputs
    shape = [1 if size == DYNAMIC else size for size in spec.shape]
    pixels = np.random.default_rng(0).integers(0, 256, size=shape)
    return InferRequest(inputs=(tensor_of(spec, pixels.astype(NUMPY_OF[spec.datatype])),))


def environment(subject: Subject, endpoint: str, *, preload: bool) -> dict[str, str]:
    """The variables that Lambda would set for the predict function, and those of a benchmark's child."""
    variables = {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "LAMPYRIS_BUCKET": BUCKET,
        "LAMPYRIS_PRELOAD": subject.name if preload else "",
        "BENCH_MODEL": subject.name,
        "BENCH_ARTIFACT": str(subject.artifact),
        "BENCH_REQUEST": str(subject.request),
        "BENCH_BLOBS": json.dumps([blob.digest for blob in _blobs(subject.manifest)]),
    }
    return {**os.environ, **variables}


def _blobs(manifest: Manifest) -> list[Blob]:
    artifact = manifest.artifact
    return [artifact.graph] if artifact.weights is None else [artifact.graph, artifact.weights]
