"""MLServer: a custom runtime, as its guide writes one, in the server's own process (no parallel workers)."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from onnx_session import open_session


class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        self.session = open_session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {given.name: NumpyCodec.decode_input(given) for given in payload.inputs}
        (probabilities,) = self.session.run(None, inputs)
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("probabilities", probabilities)]
        )
