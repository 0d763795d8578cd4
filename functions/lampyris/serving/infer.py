"""One prediction: check the inputs, run the session, say what it took."""

from collections.abc import Callable, Mapping

import msgspec

from lampyris.domain.manifest import Manifest
from lampyris.domain.tensors import Array, check_inputs
from lampyris.errors import DeadlineExceeded, InferenceFailed, OutOfMemory
from lampyris.serving.runtime import is_out_of_memory
from lampyris.serving.sessions import Loaded, LoadTimes, Sessions
from lampyris.serving.watchdog import Watchdog


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs by name, who made them, and what they took; `cold` if the session was made for this request.

    `started_s` is when the run began, on the clock of `Inference`.
    """

    manifest: Manifest
    outputs: Mapping[str, Array]
    load: LoadTimes
    cold: bool
    started_s: float
    run_ms: float


def _let_go(error: BaseException | None) -> None:
    """Drop what an error's traceback holds: the session, and with it its memory."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Inference:
    """Runs versions on arrays, each run inside the time that its caller has."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._clock = clock
        self._watchdog = Watchdog(clock=clock)

    def load(self, manifest: Manifest, *, deadline_s: float) -> tuple[Loaded, bool]:
        """Return a version's session, and whether it had to be loaded for this call.

        Raises: what `Sessions.get` raises.
        """
        return self._sessions.get(manifest.artifact, deadline_s=deadline_s)

    def free_memory(self) -> None:
        """Drop every session: a request lacked memory, and what they hold may be what the next one lacks."""
        self._sessions.drop()

    def run(
        self,
        manifest: Manifest,
        inputs: Mapping[str, Array],
        *,
        deadline_s: float,
        outputs: tuple[str, ...] = (),
    ) -> Prediction:
        """Run a version on arrays that carry its inputs' names; `outputs` selects, and all is the default.

        A run that finds too little memory is tried again with the memory of all other models.
        Raises: InvalidTensor if the inputs disagree with the signature; DeadlineExceeded, OutOfMemory,
            InferenceFailed; what `Sessions.get` raises.
        """
        check_inputs(manifest.signature, inputs)
        wanted = list(outputs) or [spec.name for spec in manifest.signature.outputs]
        for is_last in (False, True):
            loaded, cold = self.load(manifest, deadline_s=deadline_s)
            started_s = self._clock()
            try:
                values = self._watched(manifest, loaded, wanted, inputs, deadline_s)
            except OutOfMemory as error:
                # This session too: after a failure its arena asks for all that is left, whatever comes next.
                _let_go(error)
                del loaded
                if self._sessions.drop() == 1 or is_last:
                    raise
            else:
                break
        return Prediction(
            manifest=manifest,
            outputs=dict(zip(wanted, values, strict=True)),
            load=loaded.times,
            cold=cold,
            started_s=started_s,
            run_ms=(self._clock() - started_s) * 1000,
        )

    def _watched(
        self,
        manifest: Manifest,
        loaded: Loaded,
        wanted: list[str],
        inputs: Mapping[str, Array],
        deadline_s: float,
    ) -> list[Array]:
        from onnxruntime import RunOptions  # noqa: PLC0415 - a session has imported it by now

        options = RunOptions()
        try:
            self._watchdog.watch(options, deadline_s)
            values: list[Array] = loaded.session.run(wanted, dict(inputs), options)
        except Exception as error:  # onnxruntime raises classes of its own, with no common root
            if options.terminate:
                raise DeadlineExceeded(model=manifest.model) from error
            if is_out_of_memory(error):
                raise OutOfMemory from error
            raise InferenceFailed(model=manifest.model, cause=f"{type(error).__name__}: {error}") from error
        finally:
            self._watchdog.forget(options)
        return values
