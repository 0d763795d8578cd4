"""LitServe: one worker on the CPU, quiet, and no client file."""

import sys
from typing import Any

import litserve
import numpy as np
from onnx_session import open_session


class Pictures(litserve.LitAPI):
    def setup(self, device: str) -> None:
        del device
        self.session = open_session()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            given["name"]: np.array(given["data"], np.uint8).reshape(given["shape"])
            for given in request["inputs"]
        }

    def predict(self, x: dict[str, Any]) -> Any:
        return self.session.run(None, x)[0]

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Pictures(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False)
