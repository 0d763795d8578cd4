"""What obstore cannot do of S3: the versions that a bucket keeps, and keys that are no paths.

Only who erases or collects garbage comes here, and who lists where somebody put an object with such a key:
boto3 takes a quarter of a second to import, which no prediction waits for.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from lampyris.adapters.object_keys import check_prefix, is_key
from lampyris.domain.store import Entry, Generation
from lampyris.errors import StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

_CONNECT_TIMEOUT_S = 2
_READ_TIMEOUT_S = 10
_ATTEMPTS = 5
_PURGED_AT_ONCE = 1000  # as many as S3 takes in one request


def generations(bucket: "S3Store", prefix: str) -> Iterator[Generation]:
    """Yield every version and every mark of deletion below `prefix`.

    Raises: InvalidName, StoreUnavailable.
    """
    check_prefix(prefix)
    with _errors(f"list versions of {prefix}"):
        pages = _pages(bucket, "list_object_versions", prefix)
        page = next(pages)
        # Read a page ahead: the next begins behind this one's last version, which may be purged by then.
        for following in chain(pages, [{}]):
            yield from _in_order(page)
            page = following


def entries(bucket: "S3Store", prefix: str, after: str) -> Iterator[Entry]:
    """Yield the objects below `prefix` and after `after`, but for those whose keys no store takes.

    Raises: StoreUnavailable.
    """
    with _errors(f"list {prefix}"):
        for page in _pages(bucket, "list_objects_v2", prefix, StartAfter=after):
            for found in page.get("Contents", []):
                if is_key(found["Key"]):
                    yield Entry(
                        key=found["Key"],
                        size_bytes=found["Size"],
                        modified_at=found["LastModified"],
                        etag=found["ETag"],
                    )


def folders(bucket: "S3Store", prefix: str) -> Iterator[str]:
    """Yield the keys one level below `prefix` that have something below themselves.

    Raises: StoreUnavailable.
    """
    with _errors(f"list {prefix}"):
        for page in _pages(bucket, "list_objects_v2", prefix, Delimiter="/"):
            yield from (one["Prefix"].removesuffix("/") for one in page.get("CommonPrefixes", []))


def _pages(bucket: "S3Store", operation: str, prefix: str, **given: str) -> Iterator[dict[str, Any]]:
    paginator = _client(bucket).get_paginator(operation)
    return iter(paginator.paginate(Bucket=bucket.config["bucket"], Prefix=prefix, **given))


def _in_order(page: dict[str, Any]) -> Iterable[Generation]:
    """Put versions and marks of deletion, which S3 lists apart, in the order of keys, the newest first."""
    found = map(_generation, page.get("Versions", []) + page.get("DeleteMarkers", []))
    return sorted(found, key=lambda one: (one.key, not one.is_latest, -one.modified_at.timestamp()))


def _generation(found: dict[str, Any]) -> Generation:
    return Generation(
        key=found["Key"],
        id=found["VersionId"],
        size_bytes=found.get("Size", 0),
        modified_at=found["LastModified"],
        is_latest=found["IsLatest"],
    )


def purge(bucket: "S3Store", doomed: Iterable[Generation]) -> None:
    """Remove versions. Raises: StoreUnavailable, also if S3 removed others and left one."""
    client, waiting = _client(bucket), iter(doomed)
    while batch := [{"Key": one.key, "VersionId": one.id} for one in islice(waiting, _PURGED_AT_ONCE)]:
        with _errors("purge"):
            answer = client.delete_objects(
                Bucket=bucket.config["bucket"], Delete={"Objects": batch, "Quiet": True}
            )
        for failure in answer.get("Errors", []):
            raise StoreUnavailable(operation=f"purge {failure['Key']}", cause=failure["Code"])


@contextmanager
def _errors(operation: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the module

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(operation=operation, cause=str(error)) from error


def _client(bucket: "S3Store") -> Any:
    """Open the same bucket with boto3: by what it was opened with, and by the environment for all else."""
    import boto3  # noqa: PLC0415 - see the module
    from botocore.config import Config  # noqa: PLC0415 - as above

    given: Any = bucket.config
    if bucket.credential_provider is not None:
        given = {**given, **bucket.credential_provider()}  # type: ignore[dict-item]  # it is no coroutine here
    return boto3.client(
        "s3",
        endpoint_url=given.get("endpoint"),
        region_name=given.get("region"),
        aws_access_key_id=given.get("access_key_id"),
        aws_secret_access_key=given.get("secret_access_key"),
        aws_session_token=given.get("token"),
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            s3={"addressing_style": "path"} if given.get("endpoint") else None,
            # Where the bucket does without the environment's proxy, so does this.
            proxies={} if "proxy_excludes" in (bucket.client_options or {}) else None,
        ),
    )
