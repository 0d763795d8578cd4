"""What people want to know of a version at a glance."""

from lampyris.domain.manifest import Manifest


def size_bytes(manifest: Manifest) -> int:
    """What a cold start fetches."""
    artifact = manifest.artifact
    return artifact.graph.size_bytes + (artifact.weights.size_bytes if artifact.weights else 0)


def accuracy(manifest: Manifest) -> float | None:
    """How often the published model was right: measured when it was published, or else as its build told."""
    if "accuracy" in manifest.evidence.measured:
        return manifest.evidence.measured["accuracy"]
    # A build that compresses tells of the model before and after; what it publishes is the compressed one.
    metrics = manifest.metrics.get("int8") or manifest.metrics.get("fp32") or {}
    return metrics.get("accuracy")
