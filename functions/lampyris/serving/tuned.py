"""An artifact's form for this CPU. Nothing here is worth an error: the artifact itself runs everywhere."""

from lampyris.domain.manifest import Artifact
from lampyris.domain.store import Store
from lampyris.domain.tuned import read_tuned, wish_tuned
from lampyris.serving.cpu import Cpu


class TunedForm:
    """One artifact's form for one kind of CPU: looked up, and asked for where nobody has made it."""

    def __init__(self, artifact: Artifact, store: Store, cpu: Cpu) -> None:
        self._artifact = artifact
        self._store = store
        self._cpu = cpu
        self._is_missing = False

    def find(self) -> Artifact | None:
        """Return the form; None if there is none, or none that can be read, or none of this onnxruntime."""
        try:
            tuned = read_tuned(self._store, self._artifact, self._cpu.key)
        except Exception:  # noqa: BLE001 - the store is away or the document is damaged: as if there were none
            return None
        self._is_missing = tuned is None
        if tuned is None or tuned.onnxruntime != self._cpu.onnxruntime:
            return None
        return tuned.artifact

    def ask(self) -> None:
        """Wish for the form if `find` found that nobody has made it; the publish function hears of it."""
        if not self._is_missing:
            return
        try:
            wish_tuned(self._store, self._artifact, self._cpu.key)
        except Exception:  # noqa: BLE001 - the next environment asks again
            return
