"""Every error that a caller, an uploader or an operator can meet.

An error holds facts and says one sentence; it knows no status code. `code` is stable: scripts may rely on it.
The classes are written out, as dataclasses would cost a cold start half a millisecond each.

    LampyrisError
    ├── InvalidRequest           the caller must change the request
    │   ├── MalformedRequest, RouteNotFound, MethodNotAllowed, UnsupportedMediaType, UnsupportedEncoding
    │   ├── BodyTooLarge, ImageTooLarge, ImagesTooLarge, TooManyRows, ResponseTooLarge
    │   ├── NotAcceptable, JobTooLarge
    │   ├── InvalidTensor, InvalidImage, TaskNotSupported
    │   ├── InvalidInput
    │   └── InvalidName, InvalidSplit
    ├── NotFound                 what was named does not exist
    │   ├── ModelNotFound, VersionNotFound, VersionDeleted, AliasNotFound, UploadNotFound, ObjectNotFound
    │   ├── RejectionNotFound, BillOfMaterialsNotFound
    │   └── JobNotFound, InputNotFound, ItemNotFound
    ├── Conflict                 it cannot be done as things stand
    │   ├── ObjectExists, ObjectChanged
    │   ├── AliasChanged, VersionInUse, VersionClosing, NothingToPromote, NothingToRollBack, KeyReused
    │   ├── NoBackup, NoRoomForBackup, CopyDamaged, RestoreConflict
    │   └── ItemExists, ItemChanged, IllegalTransition, JobLost, JobNotEnded, NoJobs, InputChanged
    ├── UploadRefused            an upload is not admitted, and never will be as it is
    │   └── NotOnnx, ExternalData, UnsupportedModel, UploadTooLarge, CorruptBundle, ProbeDisagrees,
    │       GateFailed, UnsignedUpload, BadSignature, InvalidInstructions, UploadGone
    └── Unavailable              try again later
        ├── StoreUnavailable, ArtifactDamaged, DocumentDamaged, InferenceFailed
        ├── TableUnavailable, QueueUnavailable, NotificationFailed
        └── OutOfMemory, StorageFull, DeadlineExceeded, ModelLoading, WorkerLost
"""

from typing import ClassVar


class LampyrisError(Exception):
    """The root: anything that Lampyris raises on purpose."""

    code: ClassVar[str] = "error"


class _SaysWhy(LampyrisError):
    """An error whose sentence is written where it is raised."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidRequest(LampyrisError):
    """The request cannot be served as it is."""


class MalformedRequest(_SaysWhy, InvalidRequest):
    """The body cannot be read as what it claims to be."""

    code = "malformed-request"


class RouteNotFound(InvalidRequest):
    code = "route-not-found"

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(
            f"Nothing answers {method} {path}. Predictions are at POST /models/{{model}}/predict; "
            "GET /openapi.json describes all that there is."
        )
        self.method = method
        self.path = path


class MethodNotAllowed(InvalidRequest):
    code = "method-not-allowed"

    def __init__(self, *, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not allowed here; use {' or '.join(allowed)}.")
        self.method = method
        self.allowed = allowed


class UnsupportedMediaType(InvalidRequest):
    code = "unsupported-media-type"

    def __init__(self, *, media_type: str, supported: tuple[str, ...]) -> None:
        came = f"{media_type!r}" if media_type else "no Content-Type"
        super().__init__(f"The body came with {came}; send one of {', '.join(supported)}.")
        self.media_type = media_type
        self.supported = supported


class UnsupportedEncoding(InvalidRequest):
    code = "unsupported-encoding"

    def __init__(self, *, encoding: str, supported: tuple[str, ...]) -> None:
        super().__init__(f"The body came with Content-Encoding {encoding!r}; use {' or '.join(supported)}.")
        self.encoding = encoding
        self.supported = supported


class BodyTooLarge(InvalidRequest):
    code = "body-too-large"

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(f"The body, unpacked, has more than the {limit_bytes:,} bytes that are taken.")
        self.limit_bytes = limit_bytes


class ImageTooLarge(InvalidRequest):
    code = "image-too-large"

    def __init__(self, *, width: int, height: int, limit_pixels: int, image: str = "The image") -> None:
        super().__init__(
            f"{image} has {width:,} x {height:,} pixels; "
            f"at most {limit_pixels:,} are taken. Send a smaller one."
        )
        self.width = width
        self.height = height
        self.limit_pixels = limit_pixels
        self.image = image


class ImagesTooLarge(InvalidRequest):
    """Images of one request that are small enough one by one, but not together."""

    code = "images-too-large"

    def __init__(self, *, pixels: int, limit_pixels: int) -> None:
        super().__init__(
            f"The images have {pixels:,} pixels together, or will have at the model's size; "
            f"at most {limit_pixels:,} are taken at once. Send fewer."
        )
        self.pixels = pixels
        self.limit_pixels = limit_pixels


class TooManyRows(InvalidRequest):
    code = "too-many-rows"

    def __init__(self, *, limit: int, rows: str) -> None:
        super().__init__(f"The body holds more than the {limit:,} {rows} that are taken at once. Send fewer.")
        self.limit = limit
        self.rows = rows


class NotAcceptable(_SaysWhy, InvalidRequest):
    """The answer cannot be given in a form that the caller's Accept header takes."""

    code = "not-acceptable"


class ResponseTooLarge(InvalidRequest):
    code = "response-too-large"

    def __init__(self, *, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"The answer has {size_bytes:,} bytes; at most {limit_bytes:,} can be sent. "
            "Ask for fewer rows, or for fewer outputs."
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class JobTooLarge(InvalidRequest):
    """What is known of a job does not fit into its document."""

    code = "job-too-large"

    def __init__(self, *, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"The job would have {size_bytes:,} bytes, with all that is known of it; at most {limit_bytes:,} "
            "are kept. Put what is large into a file, and name that."
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class InvalidTensor(InvalidRequest):
    """A tensor disagrees with the model's signature."""

    code = "invalid-tensor"

    def __init__(self, *, tensor: str, reason: str) -> None:
        super().__init__(f"Tensor {tensor!r}: {reason}")
        self.tensor = tensor
        self.reason = reason


class InvalidImage(_SaysWhy, InvalidRequest):
    code = "invalid-image"


class TaskNotSupported(InvalidRequest):
    """A model was asked for what only other kinds of models do."""

    code = "task-not-supported"

    def __init__(self, *, model: str, task: str, reason: str) -> None:
        super().__init__(f"Model {model!r} cannot {task}: {reason}. Use predict.")
        self.model = model
        self.task = task
        self.reason = reason


class InvalidName(InvalidRequest):
    code = "invalid-name"

    def __init__(self, *, kind: str, name: str, rule: str) -> None:
        super().__init__(f"{name!r} cannot be the name of {kind}: {rule}.")
        self.kind = kind
        self.name = name
        self.rule = rule


class InvalidSplit(_SaysWhy, InvalidRequest):
    """Requests cannot be shared out over versions like that."""

    code = "invalid-split"


class InvalidInput(_SaysWhy, InvalidRequest):
    """What a batch should predict on cannot be read as rows, or not by this model."""

    code = "invalid-input"


class NotFound(LampyrisError):
    """What was named does not exist."""


class ModelNotFound(NotFound):
    code = "model-not-found"

    def __init__(self, *, model: str) -> None:
        super().__init__(f"There is no model {model!r}.")
        self.model = model


class VersionNotFound(NotFound):
    code = "version-not-found"

    def __init__(self, *, model: str, version: int | str) -> None:
        super().__init__(f"Model {model!r} has no version {version}.")
        self.model = model
        self.version = version


class VersionDeleted(NotFound):
    code = "version-deleted"

    def __init__(self, *, model: str, version: int) -> None:
        super().__init__(f"Version {version} of model {model!r} was deleted.")
        self.model = model
        self.version = version


class AliasNotFound(NotFound):
    code = "alias-not-found"

    def __init__(self, *, model: str, alias: str) -> None:
        super().__init__(f"Model {model!r} has no alias {alias!r}.")
        self.model = model
        self.alias = alias


class UploadNotFound(NotFound):
    code = "upload-not-found"

    def __init__(self, *, upload: str, model: str | None = None) -> None:
        if model is None:
            wanted = "Uploads are kept for a day; POST /uploads says where to put one."
        else:
            wanted = (
                f"Model {model!r} has neither a version nor a refusal of that name, and none is in the inbox."
            )
        super().__init__(f"There is no upload {upload!r}. {wanted}")
        self.upload = upload
        self.model = model


class RejectionNotFound(NotFound):
    code = "rejection-not-found"

    def __init__(self, *, model: str, upload: str) -> None:
        super().__init__(f"No upload {upload!r} of model {model!r} was refused.")
        self.model = model
        self.upload = upload


class BillOfMaterialsNotFound(NotFound):
    code = "bill-of-materials-not-found"

    def __init__(self, *, model: str, version: int) -> None:
        super().__init__(f"Version {version} of model {model!r} was published without a bill of materials.")
        self.model = model
        self.version = version


class ObjectNotFound(NotFound):
    """The store holds nothing under this key."""

    code = "object-not-found"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"The store holds nothing at {key!r}.")
        self.key = key


class JobNotFound(NotFound):
    code = "job-not-found"

    def __init__(self, *, job: str) -> None:
        super().__init__(f"There is no job {job[:80]!r}. `lampyris jobs list` shows those that there are.")
        self.job = job


class InputNotFound(NotFound):
    """What a job should read is not in the bucket."""

    code = "input-not-found"

    def __init__(self, *, key: str) -> None:
        super().__init__(
            f"There is nothing at {key[:200]!r}, nor below it. POST /data gives an address to put it at."
        )
        self.key = key


class ItemNotFound(NotFound):
    """A table has no such document. Callers meet JobNotFound instead."""

    code = "item-not-found"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"The table has nothing at {key}.")
        self.key = key


class Conflict(LampyrisError):
    """It cannot be done as things stand; look again and decide anew."""


class AliasChanged(Conflict):
    """The alias is not as the caller knew it when it decided."""

    code = "alias-changed"

    def __init__(self, *, model: str, alias: str, etag: str | None) -> None:
        now = "is not there" if etag is None else f"is at revision {etag}"
        super().__init__(
            f"Alias {alias!r} of model {model!r} {now}, not as you read it. Read it again and decide anew."
        )
        self.model = model
        self.alias = alias
        self.etag = etag


class VersionInUse(Conflict):
    """A version cannot be deleted, as an alias names it."""

    code = "version-in-use"

    def __init__(self, *, model: str, version: int, alias: str, use: str) -> None:
        super().__init__(
            f"Version {version} of model {model!r} cannot be deleted: alias {alias!r} {use} it. "
            "Point the alias elsewhere first."
        )
        self.model = model
        self.version = version
        self.alias = alias
        self.use = use


class VersionClosing(Conflict):
    """A version is being deleted: no alias may be pointed at it."""

    code = "version-closing"

    def __init__(self, *, model: str, version: int) -> None:
        super().__init__(
            f"Version {version} of model {model!r} is being deleted. Delete it again if that was interrupted."
        )
        self.model = model
        self.version = version


class NothingToPromote(Conflict):
    code = "nothing-to-promote"

    def __init__(self, *, model: str, alias: str) -> None:
        super().__init__(
            f"Alias {alias!r} of model {model!r} has neither canary nor shadow. Say which version to promote."
        )
        self.model = model
        self.alias = alias


class NothingToRollBack(Conflict):
    code = "nothing-to-roll-back"

    def __init__(self, *, model: str, alias: str) -> None:
        super().__init__(f"Alias {alias!r} of model {model!r} has named nothing else before.")
        self.model = model
        self.alias = alias


class KeyReused(Conflict):
    """An idempotency key came again with another request."""

    code = "idempotency-key-reused"

    def __init__(self, *, key: str) -> None:
        super().__init__("This idempotency key was used for another request. Use a new one for each change.")
        self.key = key


class NoBackup(_SaysWhy, Conflict):
    """What should be restored is no backup, or none that is complete."""

    code = "no-backup"


class NoRoomForBackup(_SaysWhy, Conflict):
    """What a backup should be written to holds something else."""

    code = "no-room-for-backup"


class CopyDamaged(Conflict):
    """What is copied, or was, does not have its digest, or is not there."""

    code = "copy-damaged"

    def __init__(self, *, key: str, place: str) -> None:
        super().__init__(f"{key!r} is missing in the {place}, or was altered there. It was not copied.")
        self.key = key
        self.place = place


class RestoreConflict(Conflict):
    """A registry holds something else than the backup; nothing is overwritten."""

    code = "restore-conflict"

    def __init__(self, *, key: str) -> None:
        super().__init__(
            f"The registry holds another {key!r} than the backup. Nothing is overwritten: restore into an "
            "empty registry, or a model that this one does not have."
        )
        self.key = key


class ObjectExists(Conflict):
    code = "object-exists"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"Something stands at {key!r} already.")
        self.key = key


class ObjectChanged(Conflict):
    code = "object-changed"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"{key!r} was changed by somebody else in the meantime.")
        self.key = key


class ItemExists(Conflict):
    """A document stands already where one was to be made."""

    code = "item-exists"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"Something stands at {key} already.")
        self.key = key


class ItemChanged(Conflict):
    """A document is not what it was when it was read."""

    code = "item-changed"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"What stands at {key} was changed meanwhile.")
        self.key = key


class IllegalTransition(Conflict):
    code = "illegal-transition"

    def __init__(self, *, job: str, state: str, wanted: str) -> None:
        verb = {"queued": "begun again", "cancelled": "cancelled"}[wanted]
        super().__init__(f"The job {job} has {state}: it cannot be {verb} any more.")
        self.job = job
        self.state = state
        self.wanted = wanted


class JobLost(Conflict):
    """A worker no longer holds the job: another took it, or it was cancelled. What it does is to stop."""

    code = "job-lost"

    def __init__(self, *, job: str) -> None:
        super().__init__(f"The job {job} is not this worker's any more.")
        self.job = job


class InputChanged(Conflict):
    """An object of a batch's input was overwritten after it was planned."""

    code = "input-changed"

    def __init__(self, *, key: str) -> None:
        super().__init__(
            f"{key!r} was changed while the batch was under way. Leave it as it is, and ask anew."
        )
        self.key = key


class JobNotEnded(Conflict):
    code = "job-not-ended"

    def __init__(self, *, job: str, state: str) -> None:
        super().__init__(
            f"The job {job} is {state}. Only jobs that have ended are purged: wait, or cancel what goes on."
        )
        self.job = job
        self.state = state


class NoJobs(_SaysWhy, Conflict):
    """Jobs are asked for where there are none: no table and no queues."""

    code = "no-jobs"


class UploadRefused(LampyrisError):
    """An upload is not admitted; delivering it again would change nothing."""


class NotOnnx(UploadRefused):
    code = "not-onnx"

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"The file is not an ONNX model: {reason}")
        self.reason = reason


class ExternalData(UploadRefused):
    code = "external-data"

    def __init__(self, *, tensor: str) -> None:
        super().__init__(
            f"Tensor {tensor!r} keeps its data in another file. Save the model as one file: "
            "onnx.save(model, path, save_as_external_data=False)."
        )
        self.tensor = tensor


class UnsupportedModel(_SaysWhy, UploadRefused):
    code = "unsupported-model"


class UploadTooLarge(UploadRefused):
    code = "upload-too-large"

    def __init__(self, *, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"The upload has {size_bytes:,} bytes; at most {limit_bytes:,} are admitted.")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class CorruptBundle(_SaysWhy, UploadRefused):
    code = "corrupt-bundle"


class ProbeDisagrees(UploadRefused):
    """The published graph does not answer the bundle's probe as the build said it would."""

    code = "probe-disagrees"

    def __init__(self, *, output: str, reason: str) -> None:
        super().__init__(f"Output {output!r} disagrees with the bundle's probe: {reason}")
        self.output = output
        self.reason = reason


class GateFailed(_SaysWhy, UploadRefused):
    """What was measured does not keep to the recipe's gates, and the recipe says to refuse then."""

    code = "gate-failed"


class UnsignedUpload(UploadRefused):
    """Only signed bundles are admitted here, and this is none."""

    code = "unsigned-upload"

    def __init__(self, *, file: str) -> None:
        super().__init__(
            f"{file!r} came without a signature: only bundles that a trusted key has signed are admitted. "
            "Publish a bundle with --sign-key, or put its bundle.sig beside bundle.json before that."
        )
        self.file = file


class BadSignature(UploadRefused):
    code = "bad-signature"

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"The signature bundle.sig does not hold: {reason}")
        self.reason = reason


class InvalidInstructions(UploadRefused):
    code = "invalid-instructions"

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"instructions.json cannot be followed: {reason}")
        self.reason = reason


class UploadGone(UploadRefused):
    """The inbox was emptied before the upload's turn came."""

    code = "upload-gone"

    def __init__(self, *, key: str) -> None:
        super().__init__(f"Nothing stands at {key!r} any more; upload it again.")
        self.key = key


class Unavailable(LampyrisError):
    """It may work later."""


class StoreUnavailable(Unavailable):
    """The store did not answer, or refused; `operation` and `cause` are for the log, not for callers."""

    code = "store-unavailable"

    def __init__(self, *, operation: str, cause: str) -> None:
        super().__init__(f"The store failed at {operation}: {cause}")
        self.operation = operation
        self.cause = cause


class TableUnavailable(Unavailable):
    """The table of jobs failed, or could not be reached. For the log; callers learn less."""

    code = "table-unavailable"

    def __init__(self, *, operation: str, cause: str) -> None:
        super().__init__(f"The table could not {operation}: {cause}")
        self.operation = operation
        self.cause = cause


class QueueUnavailable(Unavailable):
    """A queue failed, or could not be reached. For the log; callers learn less."""

    code = "queue-unavailable"

    def __init__(self, *, operation: str, cause: str) -> None:
        super().__init__(f"A queue could not {operation}: {cause}")
        self.operation = operation
        self.cause = cause


class NotificationFailed(_SaysWhy, Unavailable):
    """Nobody took the news that a job has ended."""

    code = "notification-failed"


class ArtifactDamaged(Unavailable):
    """Bytes from the store do not have the digest that the manifest promises."""

    code = "artifact-damaged"

    def __init__(self, *, digest: str, part: int) -> None:
        super().__init__(f"Part {part} of blob {digest} is damaged.")
        self.digest = digest
        self.part = part


class DocumentDamaged(Unavailable):
    """A document of the registry does not have the digest that it holds, or is none; or nobody can read it.

    One that `is_whole` may have been written by a later Lampyris.
    """

    code = "document-damaged"

    def __init__(self, *, digest: str, is_whole: bool = False) -> None:
        what = "is whole, but not of a format that this Lampyris reads" if is_whole else "is damaged"
        super().__init__(f"Document {digest or '(without a digest)'} {what}.")
        self.digest = digest
        self.is_whole = is_whole


class InferenceFailed(Unavailable):
    """onnxruntime gave up on a run; `cause` is for the log, not for callers."""

    code = "inference-failed"

    def __init__(self, *, model: str, cause: str) -> None:
        super().__init__(f"Model {model!r} failed: {cause}")
        self.model = model
        self.cause = cause


class OutOfMemory(Unavailable):
    """The function has less memory than the model wants."""

    code = "out-of-memory"

    def __init__(self) -> None:
        super().__init__(
            "The model wants more memory than the function has. Send fewer rows, or give it more memory."
        )


class StorageFull(Unavailable):
    """The function's own disk has no room for a model on its way into memory."""

    code = "storage-full"

    def __init__(self, *, size_bytes: int) -> None:
        super().__init__(
            f"The function's storage has no room for the model's {size_bytes:,} bytes. Give it more storage."
        )
        self.size_bytes = size_bytes


class DeadlineExceeded(Unavailable):
    """A run was ended because its request had no more time."""

    code = "deadline-exceeded"

    def __init__(self, *, model: str) -> None:
        super().__init__(
            f"Model {model!r} did not answer in the time that the request had. Send fewer rows, or give the "
            "function more memory: its CPU grows with it."
        )
        self.model = model


class ModelLoading(Unavailable):
    """A load takes longer than its request could wait; it goes on, and the next request finds the model."""

    code = "model-loading"

    def __init__(self) -> None:
        super().__init__("The model is still being loaded. Try again in a few seconds.")


class WorkerLost(Unavailable):
    """A function ended in the middle of a prediction that it ran alone."""

    code = "worker-lost"

    def __init__(self) -> None:
        super().__init__(
            "The function ended while it ran this prediction, and nothing else: most likely it has too "
            "little memory. Send fewer rows, or give it more memory."
        )
