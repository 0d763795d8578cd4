"""Where things stand in the bucket. The bucket is the registry: these keys are its whole schema."""

import re

import msgspec

from lampyris.domain.names import check_model_name, check_upload_id
from lampyris.errors import InvalidName

INBOX = "inbox/"
MODELS = "models/"
BLOBS = "blobs/sha256/"
AUDIT = "audit/"
AUDIT_HEAD = "audit-head.json"
RESERVATIONS = "reservations/"
# Where refusals stand of what was put at places that name no model; no model can have this name.
NOWHERE = "-"
TUNING = "tuning/"
SHADOW = "shadow/"
SHADOWED = "shadowed/"
BUNDLE_FILE = "bundle.json"
SIGNATURE_FILE = "bundle.sig"
INSTRUCTIONS_FILE = "instructions.json"
FILES = "files/"
# 128 random bits: who knows the name may read what it names.
RANDOM_ID_PATTERN = "[0-9a-f]{32}"
_RANDOM_ID = re.compile(RANDOM_ID_PATTERN)
_FILE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")
_SHA256 = "[0-9a-f]{64}"
_DIGITS = 9
_VERSION_KEY = re.compile(r"models/[^/]+/versions/([1-9][0-9]{0,8})\.json")
_WISH = re.compile(rf"{TUNING}({_SHA256}(?:-{_SHA256})?)/[0-9a-f]{{32}}\.json")


def blob_key(digest: str) -> str:
    return f"{BLOBS}{digest}"


def tuned_key(artifact: str, cpu: str) -> str:
    """Return where it stands what came of tuning an artifact to a CPU."""
    return f"tuned/{artifact}/{cpu}.json"


def wish_key(artifact: str, cpu: str) -> str:
    """Return where the wish stands that an artifact be tuned to a CPU."""
    return f"{TUNING}{artifact}/{cpu}.json"


def artifact_of_wish(key: str) -> str:
    """Return the digest of the artifact that a wish is about.

    Raises: InvalidName.
    """
    wish = _WISH.fullmatch(key)
    if wish is None:
        raise InvalidName(
            kind="a wish", name=key, rule="it is tuning/{artifact}/{cpu}.json, in hexadecimal digits"
        )
    return wish[1]


def versions_prefix(model: str) -> str:
    return f"models/{model}/versions/"


def version_key(model: str, version: int) -> str:
    return f"models/{model}/versions/{version}.json"


def version_of_key(key: str) -> int | None:
    """Return the number that a version's key names; None for a stray object. The inverse of `version_key`."""
    found = _VERSION_KEY.fullmatch(key)
    return None if found is None else int(found[1])


def alias_key(model: str, alias: str) -> str:
    return f"models/{model}/aliases/{alias}.json"


def aliases_prefix(model: str) -> str:
    return f"models/{model}/aliases/"


def revision_key(model: str, alias: str, revision: int) -> str:
    """Return where a revision of an alias stands for good; in key order, they are in their own."""
    return f"{revisions_prefix(model, alias)}{revision:0{_DIGITS}}.json"


def revisions_prefix(model: str, alias: str) -> str:
    return f"models/{model}/revisions/{alias}/"


def audit_key(number: int) -> str:
    """Return where an entry of the audit stands; in key order, they are in their own."""
    return f"{AUDIT}{number:0{_DIGITS}}.json"


def number_of_key(key: str) -> int:
    """Return the number that an entry's or a revision's key names."""
    return int(key.rpartition("/")[2].removesuffix(".json"))


def change_key(change: str) -> str:
    """Return where it stands what became of a change, whatever letters its idempotency key has."""
    from hashlib import sha256  # noqa: PLC0415 - 4 ms of a cold start, and for who changes something

    return f"changes/{sha256(change.encode()).hexdigest()}.json"


def reservations_prefix(owner: str) -> str:
    """Return below what it stands which blobs a document is about to name; `owner` tells who writes it."""
    return f"{RESERVATIONS}{owner}/"


def rejected_prefix(model: str) -> str:
    return f"rejected/{model}/"


def rejected_key(model: str, upload: str) -> str:
    return f"rejected/{model}/{upload}.json"


def misplaced_upload(key: str) -> str:
    """Name what was uploaded to a place that names no upload."""
    from hashlib import sha256  # noqa: PLC0415 - 4 ms of a cold start, and for publishing alone

    return sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]


def upload_key(upload: str) -> str:
    """Return where a request's body waits that was uploaded before the request.

    Raises: InvalidName.
    """
    if not _RANDOM_ID.fullmatch(upload):
        raise InvalidName(
            kind="an upload", name=upload, rule="it has 32 hexadecimal digits, as POST /uploads gave it"
        )
    return f"uploads/{upload}"


def answer_key(answer: str) -> str:
    """Return where an answer stands that is too large for a response."""
    return f"answers/{answer}"


def copy_key(model: str, alias: str, revision: int, copy: str) -> str:
    """Return where a copy of a request waits for the shadow of an alias; `copy` is a name of its own."""
    return f"{SHADOW}{model}/{alias}/{revision}/{copy}"


def comparison_key(model: str, alias: str, version: int, copy: str) -> str:
    """Return where it stands how a shadow's answer to a copy differed."""
    return f"{comparisons_prefix(model, alias)}{version}/{copy}.json"


def comparisons_prefix(model: str, alias: str) -> str:
    return f"{SHADOWED}{model}/{alias}/"


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the inbox: a bundle (`bundle.json` last, its files under `files/`) or one bare `.onnx`.

    Instructions may stand beside either, and a signature beside a bundle's document; both come before it.
    """

    model: str
    upload: str
    file: str

    @property
    def prefix(self) -> str:
        return f"{INBOX}{self.model}/{self.upload}/"

    @property
    def key(self) -> str:
        return f"{self.prefix}{self.file}"

    @property
    def is_bundle(self) -> bool:
        return self.file == BUNDLE_FILE

    @property
    def signature_key(self) -> str:
        return f"{self.prefix}{SIGNATURE_FILE}"

    @property
    def instructions_key(self) -> str:
        return f"{self.prefix}{INSTRUCTIONS_FILE}"

    def file_key(self, name: str) -> str:
        """Return the key of a file that the bundle names."""
        return f"{self.prefix}{FILES}{name}"

    @classmethod
    def from_key(cls, key: str) -> "Upload | None":
        """Read an inbox key; None for what completes no upload (a bundle's files, a stray object).

        Raises: InvalidName if the model or the upload is named against the grammar, or not at all.
        """
        file = key.rpartition("/")[2]
        if not key.startswith(INBOX) or (file != BUNDLE_FILE and not file.endswith(".onnx")):
            return None
        match key.split("/"):
            case [_, _, _, folder, *_, _] if f"{folder}/" == FILES:
                return None
            case [_, model, upload, _]:
                check_model_name(model)
                check_upload_id(upload)
                if not _FILE.fullmatch(file):
                    raise InvalidName(kind="a file", name=file, rule="leave out its control characters")
                return cls(model=model, upload=upload, file=file)
            case _:
                raise InvalidName(kind="an upload", name=key, rule="put it at inbox/{model}/{upload}/" + file)
