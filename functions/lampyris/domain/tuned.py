"""Artifacts that one kind of CPU runs faster: where they stand, and how one is asked for.

They belong to no version: whoever has an artifact and knows its CPU finds the document at `tuned_key`. The
wish for one that is missing is an object of its own, whose arrival wakes the publish function.
"""

from datetime import datetime
from typing import Literal

import msgspec

from lampyris.domain.layout import artifact_of_wish, tuned_key, wish_key
from lampyris.domain.manifest import Artifact
from lampyris.domain.store import Store
from lampyris.errors import InvalidName, ObjectExists, ObjectNotFound


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What came of tuning an artifact to a CPU: its faster form, or None if there is none.

    `speedup` is how many times as fast it answered when it was made; None if it could not be compared.
    """

    format: Literal[1] = 1
    artifact: Artifact | None
    cpu: str
    onnxruntime: str
    speedup: float | None
    made_at: datetime


def read_tuned(store: Store, artifact: Artifact, cpu_key: str) -> Tuned | None:
    """Read what came of tuning an artifact; None if nobody has tried.

    Raises: StoreUnavailable; msgspec.DecodeError if the document is damaged.
    """
    try:
        found = store.get(tuned_key(artifact.digest, cpu_key))
    except ObjectNotFound:
        return None
    return msgspec.json.decode(found.data, type=Tuned)


def write_tuned(store: Store, artifact: Artifact, cpu_key: str, tuned: Tuned) -> bool:
    """Write down what came of it, unless somebody was first; return whether this was it.

    Its blobs must stand already. Raises: StoreUnavailable.
    """
    try:
        store.create(tuned_key(artifact.digest, cpu_key), msgspec.json.encode(tuned))
    except ObjectExists:
        return False
    return True


def wish_tuned(store: Store, artifact: Artifact, cpu_key: str) -> None:
    """Ask for what `read_tuned` did not find, unless somebody has asked. Raises: StoreUnavailable."""
    try:
        store.create(wish_key(artifact.digest, cpu_key), msgspec.json.encode(artifact))
    except ObjectExists:
        return


def read_wish(store: Store, key: str) -> Artifact | None:
    """Read which artifact a wish is about; None if the wish has expired.

    Raises: InvalidName, and what msgspec raises, if it is no wish; StoreUnavailable.
    """
    digest = artifact_of_wish(key)
    try:
        artifact = msgspec.json.decode(store.get(key).data, type=Artifact)
    except ObjectNotFound:
        return None
    if artifact.digest != digest or not artifact.tunable:
        raise InvalidName(kind="a wish", name=key, rule="it names the tunable artifact that it holds")
    return artifact
