"""What a job may be asked to do, in the words of its kind; and what of that is refused before it begins.

A job keeps its specification as a dictionary: `msgspec.to_builtins` of one of these, and `msgspec.convert`
back.
"""

import re
from typing import Annotated, Any, Literal

import msgspec

from lampyris.domain.layout import RANDOM_ID_PATTERN
from lampyris.domain.names import check_model_name
from lampyris.errors import InvalidName, MalformedRequest

# Below what a job's input may stand. All else in the bucket is the registry's own.
DATA, BATCH, WATCH, JOBS, UPLOADS = "data/", "batch/", "watch/", "jobs/", "uploads/"
INPUTS = (DATA, BATCH, WATCH, JOBS, UPLOADS)

_S3, _HTTPS = "s3://", "https://"
_LONGEST_KEY_BYTES = 1024  # S3's
_UPLOAD = re.compile(UPLOADS + RANDOM_ID_PATTERN)
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_WITH_DIGEST = re.compile(r"(https://[^\s/#]+/[^\s#]*)#sha256=([0-9a-f]{64})")

LONGEST_RECIPE = 65_536
RecipeText = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=LONGEST_RECIPE, description="A recipe, as the text of its TOML."),
]
Data = Annotated[
    str | None,
    msgspec.Meta(
        description="The data instead of the recipe's: a key or a prefix in the bucket, such as "
        "data/flowers.zip, the same as s3://bucket/key, or https://…#sha256=<its digest>."
    ),
]
Model = Annotated[str, msgspec.Meta(description="The name of a model.")]
Version = Annotated[
    str, msgspec.Meta(description="The number of a version, or the name of an alias, when the job begins.")
]
Publish = Annotated[
    Literal["live", "hold", "no"],
    msgspec.Meta(
        description="What becomes of the model: it is published and goes live, is registered without going "
        "live, or is left among the job's results."
    ),
]


class TrainSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="train"
):
    """Build a model as a recipe says. On machines ("batch"), `workers` are the processes of one training."""

    recipe: RecipeText
    data: Data = None
    publish: Publish = "live"
    workers: Annotated[
        int, msgspec.Meta(ge=1, le=64, description="How many workers share the training's data.")
    ] = 1
    average_every: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=1_000_000,
            description="After how many steps workers average their weights; 0: as is best.",
        ),
    ] = 0
    compute: Annotated[
        Literal["lambda", "batch"],
        msgspec.Meta(description="Train in functions, or on machines that AWS Batch starts for it."),
    ] = "lambda"


class EvaluateSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="evaluate"
):
    """Measure a published version on the test set of a recipe's dataset."""

    model: Model
    recipe: RecipeText
    version: Version = "live"
    data: Data = None


class TuneSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="tune"
):
    """Compare models as a recipe's [tune] says, and build the one that its rule picks."""

    recipe: RecipeText
    data: Data = None
    publish: Publish = "live"
    trials: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=1000)] | None,
        msgspec.Meta(description="How many models to train, instead of the recipe's."),
    ] = None


class BatchSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="batch"
):
    """Predict on all rows or pictures of an input."""

    model: Model
    input: Annotated[
        str,
        msgspec.Meta(
            description="A key or a prefix in the bucket, such as data/customers.parquet, or the same as "
            "s3://bucket/key."
        ),
    ]
    version: Version = "live"
    format: Annotated[
        Literal["csv", "parquet", "ndjson", "npy", "images"] | None,
        msgspec.Meta(description="What the input is; null to tell by its name."),
    ] = None
    batch_size: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=65_536)] | None,
        msgspec.Meta(description="Rows of one run; null for what is fastest with the model."),
    ] = None
    shard_rows: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None,
        msgspec.Meta(description="Rows of one shard; null for what fits."),
    ] = None
    answers: Annotated[
        Literal["ndjson", "csv", "npy"], msgspec.Meta(description="What the results are written as.")
    ] = "ndjson"


Spec = TrainSpec | EvaluateSpec | TuneSpec | BatchSpec


def checked(spec: Spec, bucket: str) -> Spec:
    """Return a specification whose places in `bucket` are keys, if nothing can be said against it yet.

    Raises: MalformedRequest, InvalidName.
    """
    if isinstance(spec, (EvaluateSpec, BatchSpec)):
        check_model_name(spec.model)
        _check_version(spec.version)
    if isinstance(spec, BatchSpec):
        return msgspec.structs.replace(spec, input=input_key(spec.input, "input", bucket))
    data = None if spec.data is None else _data(spec.data, bucket)
    _check_recipe(spec.recipe, has_data=data is not None)
    return msgspec.structs.replace(spec, data=data)


def model_of(spec: Spec) -> str:
    """Name the model that a job is about; a recipe has been checked."""
    return spec.model if isinstance(spec, (EvaluateSpec, BatchSpec)) else str(_parsed(spec.recipe)["name"])


def with_digest(data: str) -> tuple[str, str] | None:
    """Take an https address apart into where the data are and their SHA-256; None for what is none."""
    found = _WITH_DIGEST.fullmatch(data)
    return None if found is None else (found[1], found[2])


def _data(data: str, bucket: str) -> str:
    if data.startswith(_HTTPS):
        if with_digest(data) is None:
            raise MalformedRequest(
                reason=f"data is {data[:200]!r}; an address needs the SHA-256 of what is there behind it: "
                "https://…#sha256=<64 hexadecimal digits>."
            )
        return data
    return input_key(data, "data", bucket)


def input_key(place: str, member: str, bucket: str) -> str:
    """Return the key, or the prefix with its slash, that a member names in the bucket."""
    key = place
    if place.startswith(_S3):
        named, _, key = place.removeprefix(_S3).partition("/")
        if named != bucket:
            raise MalformedRequest(
                reason=f"{member} is {place[:200]!r}; jobs read this deployment's bucket alone. Put it below "
                f"{DATA} there: POST /data gives an address for that."
            )
    parts = key.removesuffix("/").split("/")
    if not key.startswith(INPUTS) or not _is_whole(parts) or _CONTROL.search(key):
        raise MalformedRequest(
            reason=f"{member} is {place[:200]!r}; it is to be a key or a prefix below "
            f"{', '.join(INPUTS[:-1])}, or uploads/ and the name of an upload."
        )
    if len(key.encode()) > _LONGEST_KEY_BYTES:
        raise MalformedRequest(
            reason=f"{member} has {len(key.encode()):,} bytes; a key has {_LONGEST_KEY_BYTES:,} at most."
        )
    # Who knows an upload's name may read it: nobody may read all of them.
    if key.startswith(UPLOADS) and not _UPLOAD.fullmatch(key):
        raise MalformedRequest(
            reason=f"{member} is {place[:200]!r}; the name of an upload has 32 hexadecimal digits, as "
            "POST /uploads gave them."
        )
    return key


def _is_whole(parts: list[str]) -> bool:
    return len(parts) > 1 and not {"", ".", ".."}.intersection(parts)


def _check_version(version: str) -> None:
    """Accept a number or the name of an alias; both follow the same grammar. Raises: InvalidName."""
    try:
        check_model_name(version)
    except InvalidName as error:
        raise InvalidName(kind="a version or an alias", name=version, rule=error.rule) from None


def _parsed(recipe: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - only who asks for a build needs it

    try:
        return tomllib.loads(recipe)
    except (ValueError, RecursionError) as error:  # a number too long, or tables too deep, among them
        raise MalformedRequest(reason=f"recipe is not TOML: {error}.") from None


def _check_recipe(recipe: str, *, has_data: bool) -> None:
    """Look for what a function cannot do; what the build itself refuses, it says in better words.

    Raises: MalformedRequest, InvalidName.
    """
    document = _parsed(recipe)
    name = document.get("name")
    if not isinstance(name, str):
        raise MalformedRequest(reason='recipe names no model; begin it with name = "…".')
    check_model_name(name)
    dataset = document.get("dataset")
    sources = [one for one in (dataset if isinstance(dataset, list) else [dataset]) if isinstance(one, dict)]
    if not sources:
        raise MalformedRequest(reason="recipe has no [dataset]; it says what to learn from.")
    if has_data and len(sources) > 1:
        raise MalformedRequest(
            reason=f"recipe names {len(sources)} datasets; data cannot stand in for all of them."
        )
    if has_data:
        return
    for source in sources:
        path = source.get("path")
        if isinstance(path, str) and not path.startswith((_S3, _HTTPS)):
            raise MalformedRequest(
                reason=f"recipe reads {path[:200]!r}, which is a file of one machine; upload it "
                "(POST /data), and give data with the key."
            )
