from collections import Counter
from datetime import UTC, datetime
from functools import partial
from operator import truediv

from lampyris.domain.manifest import Artifact, Blob, Change, Manifest, Route
from lampyris.domain.signature import Signature
from lampyris.domain.traffic import pick

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def route(version: int, weight: int) -> Route:
    blob = Blob(digest="0", size_bytes=0, part_size_bytes=1, part_digests=())
    manifest = Manifest(
        model="glow",
        version=version,
        created_at=NOW,
        upload="u",
        source="0",
        signature=Signature(inputs=(), outputs=()),
        artifact=Artifact(graph=blob, weights=None, onnxruntime="1"),
        published=Change(id="c", action="publish", by="a test", reason="", at=NOW, audited=0),
    )
    return Route(weight=weight, manifest=manifest)


def test_each_version_gets_its_share() -> None:
    routes = (route(1, 90), route(2, 10))

    shares = Counter(pick(routes, partial(truediv, point, 1000)).version for point in range(1000))

    assert shares == {1: 900, 2: 100}


def test_a_route_without_weight_gets_nothing() -> None:
    routes = (route(1, 0), route(2, 100), route(3, 0))

    assert {pick(routes, partial(truediv, point, 100)).version for point in range(100)} == {2}
