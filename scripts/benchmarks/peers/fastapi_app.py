"""FastAPI + Mangum + boto3: the model is fetched while the function starts, as tutorials have it.

The endpoint is `async`, which spares it FastAPI's thread pool: Lambda sends one request at a time.
"""

import json
import os
import tempfile

import boto3
import numpy as np
from fastapi import FastAPI
from mangum import Mangum
from onnx_session import open_session
from pydantic import BaseModel

_DTYPES = {"FP32": np.float32, "UINT8": np.uint8}

s3 = boto3.client("s3")
folder = tempfile.mkdtemp()
for name, digest in zip(("graph.onnx", "weights.bin"), json.loads(os.environ["BENCH_BLOBS"]), strict=False):
    s3.download_file(os.environ["LAMPYRIS_BUCKET"], f"blobs/sha256/{digest}", f"{folder}/{name}")
session = open_session(folder)
output = session.get_outputs()[0].name


class Input(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Output(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Input]


class InferResponse(BaseModel):
    model_name: str
    outputs: list[Output]


app = FastAPI()


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: InferRequest) -> InferResponse:
    inputs = {
        given.name: np.array(given.data, _DTYPES[given.datatype]).reshape(given.shape)
        for given in request.inputs
    }
    (values,) = session.run([output], inputs)
    answer = Output(name=output, shape=list(values.shape), datatype="FP32", data=values.ravel().tolist())
    return InferResponse(model_name=model, outputs=[answer])


handler = Mangum(app, lifespan="off")
