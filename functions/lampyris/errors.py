"""Every error that a caller, an uploader or an operator can meet.

An error holds facts and says one sentence; it knows no status code. `code` is stable: scripts may rely on it.

    LampyrisError
    ├── InvalidRequest           the caller must change the request
    │   ├── MalformedRequest, RouteNotFound, MethodNotAllowed, UnsupportedMediaType, RequestTooLarge
    │   ├── InvalidTensor, InvalidImage
    │   └── InvalidName
    ├── NotFound                 what was named does not exist
    │   └── ModelNotFound, VersionNotFound, AliasNotFound, ObjectNotFound
    ├── Conflict                 somebody else was first
    │   └── ObjectExists, ObjectChanged
    ├── UploadRefused            an upload is not admitted, and never will be as it is
    │   └── NotOnnx, ExternalData, UnsupportedModel, UploadTooLarge, CorruptBundle, ProbeDisagrees
    └── Unavailable              try again later
        └── StoreUnavailable, ArtifactDamaged, InferenceFailed
"""

from dataclasses import dataclass
from typing import ClassVar


class LampyrisError(Exception):
    """The root: anything that Lampyris raises on purpose."""

    code: ClassVar[str] = "error"


class InvalidRequest(LampyrisError):
    """The request cannot be served as it is."""


@dataclass(eq=False, kw_only=True)
class MalformedRequest(InvalidRequest):
    """The body cannot be read as what it claims to be."""

    code = "malformed-request"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class RouteNotFound(InvalidRequest):
    code = "route-not-found"
    method: str
    path: str

    def __str__(self) -> str:
        return (
            f"Nothing answers {self.method} {self.path}. Predictions are at POST /models/{{model}}/predict "
            "and POST /v2/models/{model}/infer."
        )


@dataclass(eq=False, kw_only=True)
class MethodNotAllowed(InvalidRequest):
    code = "method-not-allowed"
    method: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} is not allowed here; use {' or '.join(self.allowed)}."


@dataclass(eq=False, kw_only=True)
class UnsupportedMediaType(InvalidRequest):
    code = "unsupported-media-type"
    media_type: str
    supported: tuple[str, ...]

    def __str__(self) -> str:
        came = f"{self.media_type!r}" if self.media_type else "no Content-Type"
        return f"The body came with {came}; send one of {', '.join(self.supported)}."


@dataclass(eq=False, kw_only=True)
class RequestTooLarge(InvalidRequest):
    code = "request-too-large"
    what: str
    size: int
    limit: int

    def __str__(self) -> str:
        return f"{self.what} is {self.size:,}; the limit is {self.limit:,}."


@dataclass(eq=False, kw_only=True)
class InvalidTensor(InvalidRequest):
    """A tensor disagrees with the model's signature."""

    code = "invalid-tensor"
    tensor: str
    reason: str

    def __str__(self) -> str:
        return f"Tensor {self.tensor!r}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class InvalidImage(InvalidRequest):
    code = "invalid-image"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class InvalidName(InvalidRequest):
    code = "invalid-name"
    kind: str
    name: str
    rule: str

    def __str__(self) -> str:
        return f"{self.name!r} cannot be the name of {self.kind}: {self.rule}."


class NotFound(LampyrisError):
    """What was named does not exist."""


@dataclass(eq=False, kw_only=True)
class ModelNotFound(NotFound):
    code = "model-not-found"
    model: str

    def __str__(self) -> str:
        return f"There is no model {self.model!r}; to make one: lampyris publish BUNDLE --model {self.model}"


@dataclass(eq=False, kw_only=True)
class VersionNotFound(NotFound):
    code = "version-not-found"
    model: str
    version: int

    def __str__(self) -> str:
        return f"Model {self.model!r} has no version {self.version}."


@dataclass(eq=False, kw_only=True)
class AliasNotFound(NotFound):
    code = "alias-not-found"
    model: str
    alias: str

    def __str__(self) -> str:
        return f"Model {self.model!r} has no alias {self.alias!r}."


@dataclass(eq=False, kw_only=True)
class ObjectNotFound(NotFound):
    """The store holds nothing under this key."""

    code = "object-not-found"
    key: str

    def __str__(self) -> str:
        return f"The store holds nothing at {self.key!r}."


class Conflict(LampyrisError):
    """Somebody else was first; look again and decide anew."""


@dataclass(eq=False, kw_only=True)
class ObjectExists(Conflict):
    code = "object-exists"
    key: str

    def __str__(self) -> str:
        return f"Something stands at {self.key!r} already."


@dataclass(eq=False, kw_only=True)
class ObjectChanged(Conflict):
    code = "object-changed"
    key: str

    def __str__(self) -> str:
        return f"{self.key!r} was changed by somebody else in the meantime."


class UploadRefused(LampyrisError):
    """An upload is not admitted; delivering it again would change nothing."""


@dataclass(eq=False, kw_only=True)
class NotOnnx(UploadRefused):
    code = "not-onnx"
    reason: str

    def __str__(self) -> str:
        return f"The file is not an ONNX model: {self.reason}"


@dataclass(eq=False, kw_only=True)
class ExternalData(UploadRefused):
    code = "external-data"
    tensor: str

    def __str__(self) -> str:
        return (
            f"Tensor {self.tensor!r} keeps its data in another file. Save the model as one file: "
            "onnx.save(model, path, save_as_external_data=False)."
        )


@dataclass(eq=False, kw_only=True)
class UnsupportedModel(UploadRefused):
    code = "unsupported-model"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class UploadTooLarge(UploadRefused):
    code = "upload-too-large"
    size_bytes: int
    limit_bytes: int

    def __str__(self) -> str:
        return f"The upload has {self.size_bytes:,} bytes; at most {self.limit_bytes:,} are admitted."


@dataclass(eq=False, kw_only=True)
class CorruptBundle(UploadRefused):
    code = "corrupt-bundle"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False, kw_only=True)
class ProbeDisagrees(UploadRefused):
    """The published graph does not answer the bundle's probe as the build said it would."""

    code = "probe-disagrees"
    output: str
    reason: str

    def __str__(self) -> str:
        return f"Output {self.output!r} disagrees with the bundle's probe: {self.reason}"


class Unavailable(LampyrisError):
    """It may work later."""


@dataclass(eq=False, kw_only=True)
class StoreUnavailable(Unavailable):
    """The store did not answer, or refused; `operation` and `cause` are for the log, not for callers."""

    code = "store-unavailable"
    operation: str
    cause: str

    def __str__(self) -> str:
        return f"The store failed at {self.operation}: {self.cause}"


@dataclass(eq=False, kw_only=True)
class ArtifactDamaged(Unavailable):
    """Bytes from the store do not have the digest that the manifest promises."""

    code = "artifact-damaged"
    digest: str
    part: int

    def __str__(self) -> str:
        return f"Part {self.part} of blob {self.digest} is damaged."


@dataclass(eq=False, kw_only=True)
class InferenceFailed(Unavailable):
    """onnxruntime gave up on a run; `cause` is for the log, not for callers."""

    code = "inference-failed"
    model: str
    cause: str

    def __str__(self) -> str:
        return f"Model {self.model!r} failed: {self.cause}"
