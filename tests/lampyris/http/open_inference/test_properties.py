"""Whatever is sent: a tensor comes back as it was, and nonsense is never an error of ours."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from lampyris.domain.datatypes import Datatype
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.http.open_inference.binary_data import array_of_bytes, bytes_of

MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
WORDS = st.text(st.characters(codec="utf-8"), max_size=5)


@st.composite
def tensors(draw: st.DrawFn, *, finite: bool) -> tuple[Datatype, Array]:
    datatype = draw(st.sampled_from(list(NUMPY_OF)))
    shape = draw(stnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=4))
    if datatype == "BYTES":
        words = draw(st.lists(WORDS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
        return datatype, np.array(words, np.object_).reshape(shape)
    elements = {"allow_nan": not finite, "allow_infinity": not finite} if datatype.startswith("FP") else None
    return datatype, draw(stnp.arrays(NUMPY_OF[datatype], shape, elements=elements))


@pytest.fixture
def bare_run(serving: Any) -> Any:
    def run(datatype: str, values: Array) -> Array:
        manifest = serving.resolver.resolve(datatype.lower(), "live")
        loaded, _ = serving.inference.load(manifest, deadline_s=float("inf"))
        (answer,) = loaded.session.run(["y0"], {"x0": values})
        return answer  # type: ignore[no-any-return]  # onnxruntime has no types

    return run


@given(tensor=tensors(finite=True), nested=st.booleans())
@MANY
def test_json_gives_what_the_bare_run_gives(
    every_datatype: None,
    call: Any,
    bare_run: Any,
    tensor: tuple[Datatype, Array],
    nested: Any,
) -> None:
    datatype, values = tensor
    data = values.tolist() if nested and values.size else values.ravel().tolist()
    sent = {"name": "x0", "shape": list(values.shape), "datatype": datatype, "data": data}

    answer = call("POST", f"/v2/models/{datatype.lower()}/infer", {"inputs": [sent]})

    (output,) = answer.document["outputs"]
    received = np.array(output["data"], NUMPY_OF[datatype]).reshape(output["shape"])
    np.testing.assert_array_equal(received, bare_run(datatype, values))
    assert (output["name"], output["datatype"]) == ("y0", datatype)


@given(tensor=tensors(finite=False))
@MANY
def test_bytes_give_what_the_bare_run_gives(
    every_datatype: None, call: Any, bare_run: Any, tensor: tuple[Datatype, Array]
) -> None:
    datatype, values = tensor
    tail = bytes_of(values)
    sent = {
        "name": "x0",
        "shape": list(values.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": len(tail)},
    }
    head = json.dumps({"inputs": [sent], "parameters": {"binary_data_output": True}}).encode()

    answer = call(
        "POST",
        f"/v2/models/{datatype.lower()}/infer",
        head + tail,
        content_type="application/octet-stream",
        headers={"inference-header-content-length": str(len(head))},
    )

    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.body[:length])["outputs"]
    received = array_of_bytes(
        "y0", output["datatype"], tuple(output["shape"]), memoryview(answer.body)[length:]
    )
    assert answer.body[length:] == tail
    np.testing.assert_array_equal(received, bare_run(datatype, values))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "binary_data_output", "classification"]),
    st.integers(-2, 20) | st.booleans() | JSON,
    max_size=3,
)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x0", "x1"]) | JSON,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "datatype": st.sampled_from(list(NUMPY_OF)) | JSON,
    },
    optional={"data": st.lists(st.floats(-1, 1), max_size=4) | JSON, "parameters": PARAMETERS | JSON},
)
BODY = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=2) | JSON},
    optional={
        "outputs": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["y0", "y1"])}, optional={"parameters": PARAMETERS}
            )
        ),
        "parameters": PARAMETERS,
        "id": st.text() | JSON,
    },
)


@given(
    body=BODY,
    tail=st.binary(max_size=24),
    off=st.integers(-2, 2) | st.sampled_from([None, "", "x", "-1", 10**30, 0]),
    datatype=st.sampled_from(["FP32", "BYTES", "BOOL"]),
)
@MANY
def test_nonsense_is_never_an_error_of_ours(
    every_datatype: None, call: Any, body: Any, tail: bytes, off: Any, datatype: str
) -> None:
    head = json.dumps(body).encode()
    length = str(len(head) + off) if isinstance(off, int) and abs(off) <= 2 else str(off)
    headers = {} if off is None else {"inference-header-content-length": length}

    answer = call(
        "POST",
        f"/v2/models/{datatype.lower()}/infer",
        head + tail,
        content_type="application/octet-stream",
        headers=headers,
    )

    assert answer.status == 200 or 400 <= answer.status < 500, answer.body


@given(
    path=st.sampled_from(["", "/health", "/models/fp32", "/models/fp32/versions", "/repository"]).flatmap(
        lambda start: st.text(max_size=12).map(lambda end: f"/v2{start}/{end}")
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
)
@MANY
def test_no_path_is_an_error_of_ours(every_datatype: None, call: Any, path: str, method: str) -> None:
    assert call(method, path).status < 500
