"""An inbox, and a gate whose trial measures what the test says."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import BUNDLE_FILE, INSTRUCTIONS_FILE, SIGNATURE_FILE, Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.publishing.admission import Trial, admit
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.trial import try_model
from lampyris.serving.fetch import GRAPH_FILE

LIMIT_BYTES = 2**30
BESIDE = (BUNDLE_FILE, SIGNATURE_FILE, INSTRUCTIONS_FILE)


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()


@pytest.fixture
def send(store: MemoryStore) -> Callable[..., Upload]:
    """Put files into the inbox, `bundle.json` or the bare model last."""

    def put(files: dict[str, bytes], *, upload: str = "u1", model: str = "iris") -> Upload:
        last = next(name for name in files if name == BUNDLE_FILE or BUNDLE_FILE not in files)
        place = Upload(model=model, upload=upload, file=last)
        for name, data in files.items():
            store.put(f"{place.prefix}{name}" if name in (*BESIDE, last) else place.file_key(name), data)
        return place

    return put


@pytest.fixture
def publish(store: MemoryStore) -> Callable[..., Manifest | Rejection]:
    """Admit an upload, its trial in this process."""

    def admit_here(
        upload: Upload, *, trial: Trial | None = None, by: str = "a test", **settings: object
    ) -> Manifest | Rejection:
        return admit(
            upload,
            store,
            by=by,
            limit_bytes=LIMIT_BYTES,
            trial=trial or partial(try_model, limit_bytes=LIMIT_BYTES),
            clock=lambda: datetime.now(UTC),
            **settings,  # type: ignore[arg-type]  # `trusted_keys`, and nothing else
        )

    return admit_here


@pytest.fixture
def measuring() -> Callable[..., Trial]:
    """Make a trial that accepts whatever stands there, with these figures."""

    def make(artifact: bytes = b"an artifact", **measured: float) -> Trial:
        spec = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))

        def accept(folder: Path) -> Accepted:
            (folder / GRAPH_FILE).write_bytes(artifact)
            return Accepted(
                signature=Signature(inputs=(spec,), outputs=(spec,)),
                onnxruntime="1.31.1",
                tunable=False,
                measured=measured,
            )

        return accept

    return make


@pytest.fixture
def private_key() -> bytes:
    """A private key in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
