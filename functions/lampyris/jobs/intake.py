"""Jobs that begin by an S3 put: a file below `batch/{model}/`, a recipe or data below `watch/{name}/`.

    batch/{model}/...             the live version of the model predicts on it
    watch/{name}/recipe.toml      the recipe is built
    watch/{name}/data/...         the recipe is built once more, with all that stands below data/

However often a put is announced, it makes one job; put once more, it makes another. A put of which no job can
be made makes one that has failed: that is where who put it looks for it.

Data that are put together make one job: a put of data is looked at a while later, and asks for a build only
if none has followed it by then. Which came last is the bucket's to say, so that no clock of ours counts.
"""

import hashlib
from itertools import islice
from urllib.parse import unquote_plus

import msgspec

from lampyris.domain.names import check_model_name
from lampyris.domain.store import Entry, Store
from lampyris.errors import InvalidName, LampyrisError, MalformedRequest, ObjectNotFound
from lampyris.handlers.s3_events import Created
from lampyris.jobs.jobs import Asked
from lampyris.jobs.specs import BATCH, LONGEST_RECIPE, WATCH, BatchSpec, TrainSpec, checked, model_of

# How long after a put of data it is looked at.
SETTLING_S = 60
# More than this cannot be listed while a put is looked at.
_MOST_FILES = 100_000


def may_be_followed(created: Created) -> bool:
    """Say whether a put is to be looked at a while later: of data, of which more may come."""
    key = unquote_plus(created.encoded_key)
    return key.startswith(WATCH) and not key.endswith("/recipe.toml")


def asked_by(created: Created, store: Store) -> Asked | None:
    """Return the job that an object asks for; None for one that asks for none.

    Raises: InvalidName if it stands where no model's files can; MalformedRequest if its recipe is none;
        StoreUnavailable.
    """
    try:
        key = unquote_plus(created.encoded_key, errors="strict")
    except UnicodeDecodeError:
        raise InvalidName(kind="an input", name=created.encoded_key, rule="use UTF-8") from None
    if key.endswith("/"):
        return None  # what S3's console puts there for a folder
    match key.split("/"):
        case ["batch", model, _, *_]:
            spec = BatchSpec(model=check_model_name(model), input=key)
            checked(spec, "")
            return Asked(
                kind="batch",
                by=created.by,
                key=f"{key} {created.writing}",
                spec=msgspec.to_builtins(spec),
                model=model,
            )
        case ["watch", name, "recipe.toml"]:
            return _build(check_model_name(name), created.by, store)
        case ["watch", name, "data", _, *_]:
            return _build(check_model_name(name), created.by, store, latest=key)
        case _:
            return None


def refused(created: Created, error: LampyrisError) -> Asked:
    """Return what a put asked for of which no job can be made: begun again, it fails for the same reason.

    Data may be many files, which are all refused for one reason: that makes one job.
    """
    key = unquote_plus(created.encoded_key)
    name = key.split("/")[1]
    put = f"{key} {created.writing}"
    if key.startswith(BATCH):
        batch = BatchSpec(model=name, input=key)
        return Asked(kind="batch", by=created.by, key=put, spec=msgspec.to_builtins(batch))
    reason = f"{WATCH}{name}/: {error}"
    build = TrainSpec(recipe="".join(f"# {line}\n" for line in reason.splitlines()))
    return Asked(
        kind="train",
        by=created.by,
        key=reason if may_be_followed(created) else put,
        spec=msgspec.to_builtins(build),
    )


def _build(name: str, by: str, store: Store, *, latest: str | None = None) -> Asked | None:
    """Ask for a build of a watched recipe, if there is one, and `latest` was written last of its data."""
    folder = f"{WATCH}{name}/"
    place = f"{folder}recipe.toml"
    try:
        size_bytes = store.size_bytes(place)
        if size_bytes > LONGEST_RECIPE:
            raise MalformedRequest(
                reason=f"{place} has {size_bytes:,} bytes; a recipe has {LONGEST_RECIPE:,} at most."
            )
        recipe = store.get(place)
    except ObjectNotFound:
        return None
    data = list(islice(store.list(f"{folder}data/"), _MOST_FILES + 1))
    if len(data) > _MOST_FILES:
        raise MalformedRequest(
            reason=f"{folder}data/ holds more than {_MOST_FILES:,} files; put them there as one zip."
        )
    if latest is not None and not _is_latest(latest, data):
        return None
    try:
        text = recipe.data.decode()
    except UnicodeDecodeError:
        raise MalformedRequest(reason=f"{folder}recipe.toml is not text in UTF-8.") from None
    spec = TrainSpec(recipe=text, data=_place(folder, data))
    checked(spec, "")
    return Asked(
        kind="train",
        by=by,
        key=f"{folder} {_state(recipe.etag, data)}",
        spec=msgspec.to_builtins(spec),
        model=model_of(spec),
    )


def _is_latest(key: str, data: list[Entry]) -> bool:
    """Say whether an object was written last; by its name, if the bucket tells no difference.

    What was put in parts, as the dash in its tag tells, has the time at which that was begun: it counts as
    written last, since others that were put meanwhile may have been looked at before it was there.
    """
    last = max(data, key=lambda one: (one.modified_at, one.key), default=None)
    return any(one.key == key and (one is last or "-" in one.etag) for one in data)


def _place(folder: str, data: list[Entry]) -> str | None:
    """Say where a build's data are: one file, or all below the folder; None for those of the recipe."""
    match data:
        case []:
            return None
        case [only]:
            return only.key
        case _:
            return f"{folder}data/"


def _state(etag: str, data: list[Entry]) -> str:
    """Name how a watched folder stands."""
    told = msgspec.json.encode((etag, data))
    return hashlib.sha256(told).hexdigest()[:32]
