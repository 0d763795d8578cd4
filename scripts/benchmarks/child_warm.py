"""The warm handler against decode + run + encode with the same libraries, in turn, in one process.

Prints the two lists of durations, in seconds, as JSON.
"""

import json
import os
import sys
from time import perf_counter

import msgspec
import numpy as np
import onnxruntime
from event import Context, infer_event

from lampyris.handlers.predict import handler

_WARM_UP = 20


class Tensor(msgspec.Struct):
    """A tensor as the wire carries it."""

    name: str
    shape: list[int]
    datatype: str
    data: list[int]


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
event = infer_event()
body = str(event["body"])
output = session.get_outputs()[0].name


def bare() -> str:
    """Decode, run, encode, and nothing else."""
    (tensor,) = decode(body).inputs
    values = np.frombuffer(bytearray(tensor.data), np.uint8).reshape(tensor.shape)  # the fastest way there is
    (answer,) = session.run([output], {tensor.name: values})
    tensors = [{"name": output, "shape": answer.shape, "datatype": "FP32", "data": answer.ravel().tolist()}]
    return msgspec.json.encode({"model_name": "bare", "outputs": tensors}).decode()


def measured(runs: int) -> dict[str, list[float]]:
    """Time both, in turn."""
    durations: dict[str, list[float]] = {"bare": [], "handler": []}
    for run in range(_WARM_UP + runs):
        started = perf_counter()
        bare()
        between = perf_counter()
        handler(event, Context())
        ended = perf_counter()
        if run >= _WARM_UP:
            durations["bare"].append(between - started)
            durations["handler"].append(ended - between)
    return durations


result, log = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open to the end
sys.stdout = log
durations = measured(int(sys.argv[1]))
sys.stdout = result
print(json.dumps(durations))
