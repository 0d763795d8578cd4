"""The versions that an S3 bucket keeps of its objects: listed, and removed for good.

obstore knows the present version alone, so this is boto3's. Only who erases and collects garbage comes here:
boto3 is a quarter of a second to import, which no prediction waits for.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from lampyris.adapters.object_keys import check_prefix
from lampyris.domain.store import Generation
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
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the module

    check_prefix(prefix)
    paginator = _client(bucket).get_paginator("list_object_versions")
    try:
        pages = iter(paginator.paginate(Bucket=bucket.config["bucket"], Prefix=prefix))
        page = next(pages)
        # Read a page ahead: the next begins behind this one's last version, which may be purged by then.
        for following in chain(pages, [{}]):
            yield from _in_order(page)
            page = following
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(operation=f"list versions of {prefix}", cause=str(error)) from error


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
    """Remove versions, and say so if one stays. Raises: StoreUnavailable."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the module

    client, waiting = _client(bucket), iter(doomed)
    while batch := [{"Key": one.key, "VersionId": one.id} for one in islice(waiting, _PURGED_AT_ONCE)]:
        try:
            answer = client.delete_objects(
                Bucket=bucket.config["bucket"], Delete={"Objects": batch, "Quiet": True}
            )
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailable(operation="purge", cause=str(error)) from error
        for failure in answer.get("Errors", []):
            raise StoreUnavailable(operation=f"purge {failure['Key']}", cause=failure["Code"])


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
