"""Random tensors come back as they went; random requests are never an error of ours."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from lampyris.domain.datatypes import Datatype
from lampyris.domain.tensors import NUMPY_OF

bounded = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | texts
    | st.builds(lambda text: {"b64": text}, texts | st.sampled_from(["AAAA", "/w==", "iVBORw0KGgo="])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "tag", "signal", "sensor", "image", "b64"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
members = st.sampled_from(["instances", "inputs", "examples", "context", "signature_name"])


def arrays(datatype: Datatype) -> st.SearchStrategy[np.ndarray]:
    shapes = hn.array_shapes(min_dims=3, max_dims=3, max_side=4)
    dtype = NUMPY_OF[datatype]
    if datatype == "BYTES":
        return hn.arrays(dtype, shapes, elements=texts)
    if dtype.kind == "f":
        return hn.arrays(dtype, shapes, elements={"allow_nan": False, "allow_infinity": False})
    return hn.arrays(dtype, shapes)


@pytest.mark.parametrize("datatype", NUMPY_OF)
def test_a_tensor_comes_back_from_rows_and_columns_as_from_a_bare_run(
    publish_echo: Any, call: Any, datatype: Datatype
) -> None:
    publish_echo(datatype, (-1, -1, -1))

    @bounded
    @given(tensor=arrays(datatype))
    def round_trip(tensor: np.ndarray) -> None:
        by_row = call("POST", "/v1/models/echo:predict", {"instances": tensor.tolist()})
        by_column = call("POST", "/v1/models/echo:predict", {"inputs": {"x": tensor.tolist()}})

        for back in (by_row.document["predictions"], by_column.document["outputs"]):
            np.testing.assert_array_equal(np.array(back, tensor.dtype), tensor)

    round_trip()


@pytest.fixture
def echo_of_bytes(publish_echo: Any) -> None:
    publish_echo("BYTES", (-1,), output="y_bytes")


@bounded
@given(words=st.lists(texts, min_size=1, max_size=4))
def test_text_goes_and_comes_as_base64(echo_of_bytes: None, call: Any, words: list[str]) -> None:
    encoded = [{"b64": base64.b64encode(word.encode()).decode()} for word in words]

    assert call("POST", "/v1/models/echo:predict", {"instances": encoded}).document == {
        "predictions": encoded
    }
    assert call("POST", "/v1/models/echo:predict", {"inputs": words}).document == {"outputs": encoded}


@pytest.fixture
def every_model(
    publish_half_plus_two: Any, publish_picture: Any, publish_echo: Any, publish_linear: Any, sensors: None
) -> None:
    publish_half_plus_two()
    publish_picture()
    publish_linear()
    publish_echo("BYTES", (-1,))


@bounded
@given(
    model=st.sampled_from(["half_plus_two", "picture", "glow", "echo", "sensors"]),
    method=st.sampled_from(["predict", "classify", "regress"]),
    body=st.dictionaries(members, json_values, max_size=3) | json_values,
)
def test_random_json_is_never_an_error_of_ours(
    every_model: None, call: Any, model: str, method: str, body: Any
) -> None:
    answer = call("POST", f"/v1/models/{model}:{method}", body)

    assert answer.status < 500
    assert answer.status == 200 or answer.document["code"]


@bounded
@given(
    rows=st.lists(json_values, max_size=3),
    member=st.sampled_from(["instances", "inputs"]),
    model=st.sampled_from(["half_plus_two", "picture", "glow", "echo", "sensors"]),
)
def test_random_instances_are_never_an_error_of_ours(
    every_model: None, call: Any, rows: Any, member: str, model: str
) -> None:
    assert call("POST", f"/v1/models/{model}:predict", {member: rows}).status < 500


@bounded
@given(
    body=st.binary(max_size=200),
    path=st.text("/:%3Aabc.1", max_size=12) | st.just("/half_plus_two:predict"),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
def test_random_bytes_at_random_paths_are_never_an_error_of_ours(
    every_model: None, call: Any, body: bytes, path: str, method: str
) -> None:
    assert 400 <= call(method, f"/v1/models{path}", body).status < 500


@pytest.mark.parametrize("depth", [40, 500, 900, 5_000])
@pytest.mark.parametrize("member", ["instances", "inputs", "examples"])
def test_deep_nesting_is_never_an_error_of_ours(
    every_model: None, call: Any, depth: int, member: str
) -> None:
    for model in ("echo", "picture", "half_plus_two"):
        body = f'{{"{member}": {"[" * depth}{"]" * depth}}}'

        assert 400 <= call("POST", f"/v1/models/{model}:predict", body).status < 500
