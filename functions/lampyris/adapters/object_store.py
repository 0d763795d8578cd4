"""A bucket through obstore: S3 in the cloud and in the local cloud."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    InvalidPathError,
    NotModifiedError,
    PreconditionError,
)
from obstore.store import S3Store

from lampyris.adapters.object_keys import check_key, check_prefix, is_key
from lampyris.domain.store import Entry, Generation, Stored
from lampyris.errors import ObjectChanged, ObjectExists, ObjectNotFound, StoreUnavailable

if TYPE_CHECKING:  # obstore offers these names to type checkers only
    from pathlib import Path  # 7 ms of a cold start, before the download begins

    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Credential

    from lampyris.adapters.memory_store import MemoryStore

# An HTTP API gives a request 30 s in all: a store that has not answered by then is unavailable, not slow.
_CONNECT_TIMEOUT = timedelta(seconds=2)
_TIMEOUT_S = 10.0
_RETRY_TIMEOUT = timedelta(seconds=15)
_MAX_RETRIES = 4
# S3 refuses what changed on the way, as the signature holds its digest; with this, it keeps the digest too.
CHECKSUM = "SHA256"
# S3's answer to a range that begins where the object ends, or behind.
_NOTHING_THERE = "416 Range Not Satisfiable"


class ObjectStore:
    """A Store on S3, or on what answers as S3."""

    def __init__(self, bucket: S3Store | Callable[[], S3Store]) -> None:
        """Take a bucket, or what opens one: 10 ms that whoever reads first spends, and no other thread."""
        self._open = bucket if callable(bucket) else None
        self._opened = None if callable(bucket) else bucket

    @property
    def _bucket(self) -> S3Store:
        opened = self._opened
        if opened is None:
            assert self._open is not None  # one of the two is there
            opened = self._opened = self._open()
        return opened

    def reconnect(self) -> None:
        """Forget connections and credentials, where there are any; the next call makes new ones."""
        if self._open is not None:
            self._opened = None

    def get(self, key: str) -> Stored:
        with _errors("get", key):
            found = obstore.get(self._bucket, key)
            return Stored(data=found.bytes().to_bytes(), etag=found.meta["e_tag"] or "")

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        with _errors("get", key):
            try:
                found = obstore.get(self._bucket, key, options={"if_none_match": etag})
            except NotModifiedError:
                return None
            return Stored(data=found.bytes().to_bytes(), etag=found.meta["e_tag"] or "")

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        options: GetOptions = {"range": (start, start + length)}
        if etag is not None:
            options["if_match"] = etag
        with _errors("get", key):
            try:
                return memoryview(obstore.get(self._bucket, key, options=options).bytes())
            except PreconditionError:
                raise ObjectChanged(key=key) from None
            except GenericError as error:
                if _NOTHING_THERE in str(error):  # obstore has no type for it
                    return memoryview(b"")
                raise

    def head(self, key: str) -> Entry:
        with _errors("head", key):
            return _entry(obstore.head(self._bucket, key))

    def size_bytes(self, key: str) -> int:
        return self.head(key).size_bytes

    def put(self, key: str, data: "bytes | Path", headers: Mapping[str, str] | None = None) -> None:
        with _errors("put", key):
            obstore.put(self._bucket, key, data, attributes=dict(headers or {}))

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        attributes = dict(headers or {})
        with _errors("put", key):
            try:
                obstore.put(
                    self._bucket, key, data, attributes=attributes, mode="create", use_multipart=False
                )
            except (AlreadyExistsError, PreconditionError):
                raise ObjectExists(key=key) from None

    def replace(self, key: str, data: bytes, etag: str) -> None:
        with _errors("put", key):
            try:
                obstore.put(self._bucket, key, data, mode={"e_tag": etag}, use_multipart=False)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                raise ObjectChanged(key=key) from None

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        with _errors("list", prefix, check_prefix):
            try:
                for found in chain.from_iterable(obstore.list(self._bucket, prefix, offset=after or None)):
                    after = found["path"]
                    # What S3's console puts there for a folder does not start so.
                    if after.startswith(prefix) and is_key(after):
                        yield _entry(found)
            except InvalidPathError:  # somebody put an object at a key that obstore does not take
                from lampyris.adapters.s3_by_boto3 import entries  # noqa: PLC0415 - it imports boto3

                yield from entries(self._bucket, prefix, after)

    def list_folders(self, prefix: str) -> Sequence[str]:
        with _errors("list", prefix, check_prefix):
            try:
                found = obstore.list_with_delimiter(self._bucket, prefix)["common_prefixes"]
            except InvalidPathError:  # as above
                from lampyris.adapters.s3_by_boto3 import folders  # noqa: PLC0415 - as above

                found = list(folders(self._bucket, prefix))
        return sorted(folder.removeprefix(prefix) for folder in found if is_key(folder))

    def delete(self, key: str) -> None:
        with _errors("delete", key):
            obstore.delete(self._bucket, key)

    def generations(self, prefix: str) -> Iterator[Generation]:
        from lampyris.adapters.s3_by_boto3 import generations  # noqa: PLC0415 - for who erases alone

        return generations(self._bucket, prefix)

    def purge(self, generations: Iterable[Generation]) -> None:
        from lampyris.adapters.s3_by_boto3 import purge  # noqa: PLC0415 - as above

        purge(self._bucket, generations)

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:
        with _errors("sign", key):
            return obstore.sign(self._bucket, method, key, timedelta(seconds=expires_s))


def _entry(found: "ObjectMeta") -> Entry:
    return Entry(
        key=found["path"],
        size_bytes=found["size"],
        modified_at=found["last_modified"],
        etag=found["e_tag"] or "",
    )


@contextmanager
def _errors(operation: str, key: str, check: Callable[[str], None] = check_key) -> Iterator[None]:
    check(key)
    try:
        yield
    except FileNotFoundError:
        raise ObjectNotFound(key=key) from None
    except (BaseError, OSError) as error:
        said = str(error).partition("\n")[0]  # a dump of the error follows
        raise StoreUnavailable(
            operation=f"{operation} {key}", cause=f"{type(error).__name__}: {said}"
        ) from error


def s3_store(
    bucket: str,
    *,
    endpoint: str | None = None,
    credentials: "Callable[[], S3Credential] | None" = None,
    timeout_s: float = _TIMEOUT_S,
) -> ObjectStore:
    """Open a bucket on S3, or on what answers as S3 at `endpoint`.

    Region and credentials come from the standard AWS environment variables; credentials from `credentials`
    instead, if it is given, each time that the former ones run out. An answer may take `timeout_s`.
    """
    client: ClientConfig = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "timeout": timedelta(seconds=timeout_s),
        "allow_http": endpoint is not None,
    }
    retries: RetryConfig = {"max_retries": _MAX_RETRIES, "retry_timeout": _RETRY_TIMEOUT}

    def connect() -> S3Store:
        return S3Store(
            bucket,
            checksum_algorithm=CHECKSUM,
            config={} if endpoint is None else {"endpoint": endpoint},
            client_options=client,
            retry_config=retries,
            credential_provider=credentials,
        )

    return ObjectStore(connect)


def memory_store() -> "MemoryStore":
    """Open an empty bucket in this process's memory."""
    from lampyris.adapters.memory_store import MemoryStore  # noqa: PLC0415 - in no function of ours

    return MemoryStore()
