"""Whatever is sent: an answer, never a mistake of ours."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.control.verbs import VERBS

# What leads somewhere, and what leads nowhere.
SEGMENTS = st.one_of(
    st.sampled_from(["glow", "live", "1", "2", "..", "-", "v1", "0", "9" * 30]), st.text(max_size=8)
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["if-match", "if-none-match", "idempotency-key", "lampyris-reason", "accept", "content-encoding"]
    ),
    st.one_of(
        st.sampled_from(["*", '"1"', 'W/"1", "2"', "k", "text/html;q=0.5, */*", "gzip", "%ff", ""]),
        st.text(st.characters(), max_size=12),
    ),
)
TEXTS = st.one_of(
    st.sampled_from(["1", "2", "1,2", "glow", "live", "-1", "1e3"]), st.text(st.characters(), max_size=8)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["version", "weight", "kind", "recipe", "x"]), inner),
    ),
    max_leaves=6,
)
MEMBERS = [
    "routes",
    "version",
    "weight",
    "limit",
    "after",
    "versions",
    "confirm",
    "files",
    "release",
    "model",
    "spec",
    "webhook",
    "state",
    "name",
]


@pytest.fixture
def versions(publish_linear: Any) -> None:
    publish_linear()
    publish_linear(seed=1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verb=st.sampled_from(VERBS),
    names=st.fixed_dictionaries(dict.fromkeys(("model", "alias", "version", "upload", "job"), SEGMENTS)),
    headers=HEADERS,
    query=st.dictionaries(st.sampled_from(MEMBERS), TEXTS, max_size=3),
    body=st.one_of(
        st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3).map(json.dumps), st.text(max_size=20)
    ),
)
def test_nothing_that_is_sent_is_a_mistake_of_ours(
    ask: Any, versions: None, verb: Any, names: Any, headers: Any, query: Any, body: str
) -> None:
    answer = ask(verb.method, verb.path.format(**names), body, headers=headers, query=query)

    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert answer.document["detail"]
