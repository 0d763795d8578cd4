"""The project's own template: from a request that was answered to what its shadow would have said."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter, sleep
from typing import Any

import msgspec
import pytest
from obstore.store import S3Store

from lampyris.adapters.object_store import ObjectStore
from lampyris.domain.layout import BLOBS, MODELS
from lampyris.domain.store import Store
from lampyris.registry.aliases import set_routes, set_shadow
from lampyris.registry.changes import Author
from lampyris.registry.shadows import Comparison, summarise
from lampyris_local.assets import asset
from lampyris_local.cloud.gateway import HttpRequest
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = {"inputs": [[0.123456] * 8]}


@pytest.fixture
def lines() -> list[LogLine]:
    return []


@pytest.fixture
def cloud(lines: list[LogLine]) -> Iterator[LocalCloud]:
    with LocalCloud(asset("template.yaml"), on_line=lines.append) as running:
        yield running


@pytest.fixture
def bucket(cloud: LocalCloud) -> Store:
    return ObjectStore(
        S3Store(
            cloud.outputs["Bucket"],
            config={"endpoint": cloud.endpoint_url, "region": cloud.region},
            access_key_id="local",
            secret_access_key="local",
            client_options={"allow_http": True},
        )
    )


def waited_for(store: Store, prefix: str) -> bytes:
    until_s = perf_counter() + 60
    while perf_counter() < until_s:
        for entry in store.list(prefix):
            return store.get(entry.key).data
        sleep(0.05)
    pytest.fail(f"Nothing came to stand below {prefix}.")


def test_a_shadow_is_asked_what_a_caller_asked_and_the_caller_does_not_notice(
    publish_linear: Any, store: Store, cloud: LocalCloud, bucket: Store, lines: list[LogLine]
) -> None:
    for seed in range(2):
        publish_linear(seed=seed)
    for entry in [*store.list(MODELS), *store.list(BLOBS)]:
        bucket.put(entry.key, store.get(entry.key).data)
    set_routes(bucket, "glow", "live", {1: 100}, author=Author(key="1", by="a test"), now=NOW)
    set_shadow(bucket, "glow", "live", 2, author=Author(key="2", by="a test"), now=NOW)
    request = HttpRequest(
        method="POST",
        path="/models/glow/predict",
        headers=[("content-type", "application/json")],
        body=json.dumps(REQUEST).encode(),
    )

    response = cloud.request(request)
    found = msgspec.json.decode(waited_for(bucket, "shadowed/"), type=Comparison)

    assert response.status == 200
    assert dict(response.headers)["lampyris-version"] == "1"
    assert (found.model, found.answered, found.shadow, found.agrees) == ("glow", 1, 2, False)
    assert summarise(bucket, "glow", "live").requests == 1
    assert not any("0.123456" in line.text for line in lines)
