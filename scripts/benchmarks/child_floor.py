"""The floor of a cold start: import onnxruntime, open the optimised file on local disk, run once.

With an argument, its bytes are fetched first, from the store and unverified, as whoever does not know the
model in advance must.
"""

import os
import sys

import onnxruntime

from event import answer_parent

folder = os.environ["BENCH_ARTIFACT"]
if len(sys.argv) > 1:
    import json

    import obstore
    from obstore.store import S3Store

    bucket = S3Store(
        os.environ["LAMPYRIS_BUCKET"],
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        client_options={"allow_http": True},
    )
    folder = sys.argv[1]
    for name, digest in zip(
        ("graph.onnx", "weights.bin"), json.loads(os.environ["BENCH_BLOBS"]), strict=False
    ):
        with open(f"{folder}/{name}", "wb") as file:  # noqa: PTH123 - pathlib costs time here
            file.write(obstore.get(bucket, f"blobs/sha256/{digest}").bytes())

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(f"{folder}/graph.onnx", options, providers=["CPUExecutionProvider"])
(given,) = session.get_inputs()

import numpy as np  # noqa: E402 - onnxruntime has imported it

with open(os.environ["BENCH_TENSOR"], "rb") as file:  # noqa: PTH123 - as above
    tensor = file.read()
session.run(None, {given.name: np.frombuffer(tensor, np.uint8).reshape([1, *given.shape[1:]])})
answer_parent()
