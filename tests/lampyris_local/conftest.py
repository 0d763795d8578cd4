"""A small bundle whose files nobody reads."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lampyris.domain.bundle import Bundle, BundleFile
from lampyris.domain.signature import Signature

NOW = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "files").mkdir(parents=True)
    contents = {"model.onnx": b"graph", "probe.json": b"{}"}
    for name, data in contents.items():
        (folder / "files" / name).write_bytes(data)
    document = Bundle(
        model="digits",
        created_at=NOW,
        files={
            name: BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
            for name, data in contents.items()
        },
        signature=Signature(inputs=(), outputs=()),
    )
    (folder / "bundle.json").write_bytes(msgspec.json.encode(document))
    return folder
