"""Samples of the test set as callers have them: PNG files, JSON documents, and calls that send them."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import tensor_of
from lampyris_local.client import Payload
from lampyris_local.demo.pictures import to_image


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture of the test set, (height, width, channels), and what it shows."""

    pixels: NDArray[np.uint8]
    label: str

    @property
    def png(self) -> bytes:
        written = BytesIO()
        to_image(self.pixels).save(written, format="PNG")
        return written.getvalue()

    @property
    def payload(self) -> Payload:
        return Payload(data=self.png, content_type="image/png")


def write_calls(sample: Sample, signature: Signature, *, model: str, api_url: str, folder: Path) -> list[str]:
    """Write a sample as a PNG and as an Open Inference request, and return `curl` commands that send them."""
    picture, tensor = folder / f"{sample.label}.png", folder / f"{sample.label}.json"
    picture.write_bytes(sample.png)
    (spec,) = signature.inputs
    tensor.write_bytes(msgspec.json.encode({"inputs": [tensor_of(spec, sample.pixels[None])]}))
    curl = r"curl -sw '\n'"
    return [
        f"{curl} -H 'Content-Type: image/png' --data-binary @{picture} {api_url}/models/{model}/predict",
        f"{curl} -H 'Content-Type: application/json' --data @{tensor} {api_url}/v2/models/{model}/infer",
        f"{curl} {api_url}/v2/models/{model}",
    ]
