"""BentoML: one service with one worker, the picture as a numpy array, without metrics."""

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType
from onnx_session import open_session


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Pictures:
    def __init__(self) -> None:
        self.session = open_session()
        self.input = self.session.get_inputs()[0].name

    @bentoml.api
    def predict(self, picture: Annotated[np.ndarray, DType("uint8")]) -> np.ndarray:
        probabilities: np.ndarray = self.session.run(None, {self.input: picture})[0]
        return probabilities
