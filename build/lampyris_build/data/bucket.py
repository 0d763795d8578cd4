"""Data in a bucket: an object, or all objects below a key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lampyris.adapters.object_store import CHECKSUM, ObjectStore
from lampyris.domain.store import Entry, Store
from lampyris.errors import InvalidName, ObjectChanged, ObjectNotFound, StoreUnavailable
from lampyris_build.errors import DatasetMissing, InvalidRecipe

_BLOCK_BYTES: Final = 8 * 1024**2
_TIMEOUT: Final = timedelta(seconds=60)  # for one block
_opened: ContextVar[tuple[str, Store] | None] = ContextVar("opened", default=None)


@contextmanager
def reading(bucket: str, store: Store) -> Iterator[None]:
    """Read what is in a bucket from a store that is open already, within."""
    token = _opened.set((bucket, store))
    try:
        yield
    finally:
        _opened.reset(token)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What stands at an address: one object, or several below `prefix`."""

    url: str
    store: Store
    entries: tuple[Entry, ...]
    prefix: str | None

    def read(self, entry: Entry) -> Iterator[memoryview]:
        """Yield an object block by block. Raises: DatasetMissing, also if it is overwritten meanwhile."""
        try:
            for start in range(0, entry.size_bytes, _BLOCK_BYTES):
                length = min(_BLOCK_BYTES, entry.size_bytes - start)
                yield self.store.get_range(entry.key, start, length, entry.etag)
        except ObjectChanged:
            raise DatasetMissing(
                path=self.url, wanted="it was overwritten while it was read.", may_pass=True
            ) from None
        except (StoreUnavailable, ObjectNotFound) as error:
            raise DatasetMissing(path=self.url, wanted=f"it cannot be read: {error}", may_pass=True) from None


def find(url: str) -> Found:
    """Find what s3://bucket/key names. Raises: InvalidRecipe, DatasetMissing."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    key = key.rstrip("/")
    if not bucket or not key:
        raise InvalidRecipe(
            reason=f"dataset.path is {url}; it must name a bucket and a key: s3://bucket/key."
        )
    try:
        store = _open(url, bucket)
        parent = f"{key.rpartition('/')[0]}/" if "/" in key else ""
        # The key itself comes next after all that is less than it.
        for entry in store.list(parent, after=key[:-1] if len(key) > len(parent) + 1 else ""):
            if entry.key >= key:
                if entry.key == key:
                    return Found(url=url, store=store, entries=(entry,), prefix=None)
                break
        entries = tuple(store.list(f"{key}/"))
    except InvalidName as error:
        raise InvalidRecipe(reason=f"dataset.path is {url}: {error}") from None
    except StoreUnavailable as error:
        raise DatasetMissing(path=url, wanted=f"the bucket cannot be read: {error}", may_pass=True) from None
    if not entries:
        raise DatasetMissing(path=url, wanted="there is no such object, and none below it.")
    return Found(url=url, store=store, entries=entries, prefix=f"{key}/")


def _open(url: str, bucket: str) -> Store:
    opened = _opened.get()
    if opened is not None and opened[0] == bucket:
        return opened[1]
    # A quarter of a second to import, which only a bucket is worth.
    import boto3  # noqa: PLC0415 - see above
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - as above
    from obstore.store import S3Store  # noqa: PLC0415 - as above

    try:
        session = boto3.Session()
        provider = Boto3CredentialProvider(session)
    except (BotoCoreError, ValueError) as error:
        raise DatasetMissing(path=url, wanted=f"AWS's credentials are not there: {error}.") from None
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return ObjectStore(
        S3Store(
            bucket,
            config={
                **({"region": session.region_name} if session.region_name else {}),
                **({"endpoint": endpoint} if endpoint else {}),
            },
            credential_provider=provider,
            checksum_algorithm=CHECKSUM,
            client_options={"timeout": _TIMEOUT, "allow_http": endpoint is not None},
        )
    )
