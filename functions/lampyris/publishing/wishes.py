"""Grant a wish: make an artifact's form for this CPU, or write down that it is not worth having."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lampyris.domain.manifest import Artifact
from lampyris.domain.store import Store
from lampyris.domain.tuned import Tuned, read_tuned, write_tuned
from lampyris.publishing.comparison import WORTH_IT
from lampyris.publishing.confinement import TUNED_FOLDER
from lampyris.registry.blobs import put_blobs, release
from lampyris.serving.cpu import Cpu
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE, fetch

# Takes the folder in which the artifact stands, leaves its form for this CPU in TUNED_FOLDER, and says how
# many times as fast that is; None if there is none.
Tuning = Callable[[Path], float | None]


def grant(
    artifact: Artifact, store: Store, *, cpu: Cpu, tuning: Tuning, clock: Callable[[], datetime]
) -> Tuned | None:
    """Tune an artifact to this CPU, whichever the wish was about; None if that was done before.

    Raises: StoreUnavailable, ObjectNotFound, ArtifactDamaged, TrialFailed: nothing is decided.
    """
    if read_tuned(store, artifact, cpu.key) is not None:
        return None
    owner = f"tuned/{artifact.digest}/{cpu.key}"
    with tempfile.TemporaryDirectory(prefix="lampyris-tune-") as name:
        folder = Path(name, "artifact")
        fetch(artifact, store, folder)
        speedup = tuning(folder)
        form = None
        if speedup is not None and speedup >= WORTH_IT:
            files = [folder / TUNED_FOLDER / name for name in (GRAPH_FILE, WEIGHTS_FILE)]
            graph, *weights = put_blobs(store, owner, [file for file in files if file.exists()])
            form = Artifact(graph=graph, weights=next(iter(weights), None), onnxruntime=cpu.onnxruntime)
    tuned = Tuned(artifact=form, cpu=cpu.name, onnxruntime=cpu.onnxruntime, speedup=speedup, made_at=clock())
    is_written = write_tuned(store, artifact, cpu.key, tuned)
    release(store, owner)
    return tuned if is_written else None
