"""What is published, packed for the inbox: a bundle or a model, checked, named, signed. Nothing is sent."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lampyris.domain.bundle import Bundle, Instructions
from lampyris.domain.layout import BUNDLE_FILE, FILES, Upload
from lampyris.domain.names import check_model_name
from lampyris.errors import InvalidName, LampyrisError


@dataclass(eq=False, kw_only=True)
class BrokenBundle(LampyrisError):
    """A folder is not the whole bundle that it should be; nothing was sent."""

    code = "broken-bundle"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} is not a bundle that can be published: {self.reason}."


@dataclass(eq=False, kw_only=True)
class NotPublishable(LampyrisError):
    code = "not-publishable"
    path: Path

    def __str__(self) -> str:
        if not self.path.exists():
            return f"There is nothing at {self.path}; give a bundle's folder or a .onnx file."
        return f"{self.path} cannot be published; give a bundle's folder (with bundle.json) or a .onnx file."


@dataclass(eq=False, kw_only=True)
class ModelNameMissing(LampyrisError):
    code = "model-name-missing"
    path: Path

    def __str__(self) -> str:
        return f"{self.path} does not say which model it is; add --model NAME."


@dataclass(eq=False, kw_only=True)
class NothingToSign(LampyrisError):
    """A signature is over a bundle's document, and there is none."""

    code = "nothing-to-sign"
    path: Path

    def __str__(self) -> str:
        return f"{self.path} is no bundle, and only bundles are signed; publish it without --sign-key."


@dataclass(eq=False, kw_only=True)
class UnreadableKey(LampyrisError):
    code = "unreadable-key"
    path: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be read: {self.reason}. To make a key: openssl genpkey -algorithm ed25519 "
            "-out key.pem"
        )


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What goes into the inbox: objects by key, in the order of sending. The last completes the upload.

    `key` is the caller's idempotency key, after which the upload is named.
    """

    upload: Upload
    objects: tuple[tuple[str, Path | bytes], ...]
    key: str | None = None

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes(source) for _, source in self.objects)

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each object (hex), by its name below the upload's place."""
        return {key.removeprefix(self.upload.prefix): _digest(source) for key, source in self.objects}


def size_bytes(source: Path | bytes) -> int:
    """Return what is sent of a file, or of bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def pack(
    path: Path,
    *,
    model: str | None,
    at: datetime,
    instructions: Instructions | None = None,
    sign_key: Path | None = None,
    key: str | None = None,
) -> Parcel:
    """Check what is to be published and name its place in the inbox, by its idempotency key if it has one.

    A bundle knows its model's name; a bare .onnx needs one. `sign_key` is a private key in PEM.
    Raises: NotPublishable, BrokenBundle, ModelNameMissing, NothingToSign, UnreadableKey,
        InvalidKey; InvalidName.
    """
    if model is not None:
        check_model_name(model)
    name = new_upload_id(at) if key is None else keyed_upload_id(key)
    if (path / BUNDLE_FILE).is_file():
        bundle = read_bundle(path)
        upload = Upload(model=check_model_name(model or bundle.model), upload=name, file=BUNDLE_FILE)
        objects = _bundle_objects(path, bundle, upload, instructions, sign_key)
        return Parcel(upload=upload, objects=tuple(objects), key=key)
    if path.suffix != ".onnx" or not path.is_file():
        raise NotPublishable(path=path)
    if sign_key is not None:
        raise NothingToSign(path=path)
    if model is None:
        raise ModelNameMissing(path=path)
    upload = Upload(model=model, upload=name, file="model.onnx")
    return Parcel(upload=upload, objects=(*_told(upload, instructions), (upload.key, path)), key=key)


def _bundle_objects(
    path: Path, bundle: Bundle, upload: Upload, instructions: Instructions | None, sign_key: Path | None
) -> Iterator[tuple[str, Path | bytes]]:
    for name in sorted(bundle.files):
        yield upload.file_key(name), path / FILES / name
    if sign_key is not None:
        yield upload.signature_key, _signature(path / BUNDLE_FILE, sign_key)
    yield from _told(upload, instructions)
    yield upload.key, path / BUNDLE_FILE


def _told(upload: Upload, instructions: Instructions | None) -> list[tuple[str, bytes]]:
    return [] if instructions is None else [(upload.instructions_key, msgspec.json.encode(instructions))]


def _signature(document: Path, key: Path) -> bytes:
    """Raises: UnreadableKey, InvalidKey."""
    from lampyris.publishing.signing import sign  # noqa: PLC0415 - for those who sign

    try:
        private_key = key.read_bytes()
    except OSError as error:
        raise UnreadableKey(path=key, reason=(error.strerror or str(error)).lower()) from None
    return sign(document.read_bytes(), private_key)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle's document and hold its files against it.

    Raises: BrokenBundle.
    """
    try:
        bundle = msgspec.json.decode((path / BUNDLE_FILE).read_bytes(), type=Bundle)
    except msgspec.DecodeError as error:
        raise BrokenBundle(path=path, reason=f"{BUNDLE_FILE} cannot be read: {error}") from None
    for file in sorted((path / FILES).rglob("*")):
        name = file.relative_to(path / FILES).as_posix()
        if name not in bundle.files and not file.is_dir():
            raise BrokenBundle(path=path, reason=f"{FILES}{name} is not named in {BUNDLE_FILE}; take it away")
    for name, expected in bundle.files.items():
        file = path / FILES / name
        if not file.is_file():
            raise BrokenBundle(path=path, reason=f"{FILES}{name} is missing")
        if _digest(file) != expected.digest:
            raise BrokenBundle(path=path, reason=f"{FILES}{name} was changed since it was built")
    return bundle


def _digest(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def new_upload_id(at: datetime) -> str:
    """Name an upload: sorts by time, and no two are alike."""
    return f"{at.astimezone(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"


def keyed_upload_id(key: str) -> str:
    """Name an upload after an idempotency key, whatever letters it has. Raises: InvalidName for none."""
    if not key:
        raise InvalidName(kind="a change", name=key, rule="give the key a letter, or leave it out")
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
