"""The warm handler against the least that anyone must do with the same libraries, in turn, in one process.

JSON: against typed decode, run, encode. Binary: against the run alone. Writes the durations, in seconds.
"""

import os
import sys
from collections.abc import Callable
from time import perf_counter

import msgspec
import numpy as np
import onnxruntime

from event import Context, answer_parent, binary_event, check, infer_event, request_body
from lampyris.handlers.predict import handler

_WARM_UP = 50


class Tensor(msgspec.Struct):
    """A tensor as the wire carries it, of the one type that is sent."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Body(msgspec.Struct):
    """A request as the wire carries it."""

    inputs: list[Tensor]


decode = msgspec.json.Decoder(Body).decode
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
options.intra_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(
    f"{os.environ['BENCH_ARTIFACT']}/graph.onnx", options, providers=["CPUExecutionProvider"]
)
output = session.get_outputs()[0].name
body = request_body()
(sent,) = decode(body).inputs
values = np.array(sent.data, np.float32).reshape(sent.shape)


def bare_json() -> str:
    """Decode, run, encode, and nothing else."""
    (tensor,) = decode(body).inputs
    given = np.array(tensor.data, np.float32).reshape(tensor.shape)
    (answer,) = session.run([output], {tensor.name: given})
    tensors = [{"name": output, "shape": answer.shape, "datatype": "FP32", "data": answer.ravel().tolist()}]
    return msgspec.json.encode({"model_name": "bare", "outputs": tensors}).decode()


head = {
    "inputs": [
        {
            "name": sent.name,
            "shape": sent.shape,
            "datatype": sent.datatype,
            "parameters": {"binary_data_size": values.nbytes},
        }
    ],
    "parameters": {"binary_data_output": True},
}
json_event = infer_event()
octets_event = binary_event(json_event["rawPath"], msgspec.json.encode(head), values.tobytes())
turns: dict[str, Callable[[], object]] = {
    "bare_json": bare_json,
    "json": lambda: handler(json_event, Context()),
    "bare_run": lambda: session.run([output], {sent.name: values}),
    "binary": lambda: handler(octets_event, Context()),
}
check(handler(json_event, Context()))
check(handler(octets_event, Context()))
durations: dict[str, list[float]] = {name: [] for name in turns}
for run in range(_WARM_UP + int(sys.argv[1])):
    for name, turn in turns.items():
        started_s = perf_counter()
        turn()
        ended_s = perf_counter()
        if run >= _WARM_UP:
            durations[name].append(ended_s - started_s)
answer_parent(msgspec.json.encode(durations).decode())
