"""One prediction: check the inputs, run the session, say what it took."""

from collections.abc import Callable, Mapping

import msgspec

from lampyris.domain.manifest import Manifest
from lampyris.domain.tensors import Array, check_inputs
from lampyris.errors import InferenceFailed
from lampyris.serving.sessions import Loaded, LoadTimes, Sessions


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs by name, who made them, and what they took; `cold` if the session was made for this request."""

    manifest: Manifest
    outputs: Mapping[str, Array]
    load: LoadTimes
    cold: bool
    run_ms: float


class Inference:
    """Runs versions on arrays, each run inside the time that its caller has."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._clock = clock

    def load(self, manifest: Manifest, *, deadline_s: float) -> tuple[Loaded, bool]:
        """Return a version's session, and whether it had to be loaded for this call.

        Raises: what `Sessions.get` raises.
        """
        return self._sessions.get(manifest.artifact)

    def run(
        self,
        manifest: Manifest,
        inputs: Mapping[str, Array],
        *,
        deadline_s: float,
        outputs: tuple[str, ...] = (),
    ) -> Prediction:
        """Run a version on arrays that carry its inputs' names; `outputs` selects, and all is the default.

        Raises: InvalidTensor if the inputs disagree with the signature; InferenceFailed if the run fails;
            what `Sessions.get` raises.
        """
        check_inputs(manifest.signature, inputs)
        wanted = list(outputs) or [spec.name for spec in manifest.signature.outputs]
        loaded, cold = self.load(manifest, deadline_s=deadline_s)
        started_s = self._clock()
        try:
            values = loaded.session.run(wanted, dict(inputs))
        except Exception as error:  # onnxruntime raises classes of its own, with no common root
            raise InferenceFailed(model=manifest.model, cause=f"{type(error).__name__}: {error}") from error
        return Prediction(
            manifest=manifest,
            outputs=dict(zip(wanted, values, strict=True)),
            load=loaded.times,
            cold=cold,
            run_ms=(self._clock() - started_s) * 1000,
        )
