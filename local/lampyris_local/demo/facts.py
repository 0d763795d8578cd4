"""What the demo found out, as one record and as one JSON document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lampyris.domain.manifest import Manifest
from lampyris_build.pipeline import BuildResult
from lampyris_local.client import Answer
from lampyris_local.demo.measure import ColdStart, Latency
from lampyris_local.demo.samples import Sample
from lampyris_local.summary import size_bytes


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A picture that was sent, and the answer to it."""

    sample: Sample
    answer: Answer

    @property
    def version(self) -> int:
        return int(self.answer.document["version"])

    @property
    def label(self) -> str:
        return str(self.answer.document["predictions"][0]["label"])

    @property
    def probability(self) -> float:
        return float(self.answer.document["predictions"][0]["probability"])

    @property
    def correct(self) -> bool:
        return self.label == self.sample.label


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`warm` is the whole call as its caller sees it, `handler` what the function itself spent of it."""

    built: BuildResult
    manifest: Manifest
    published_s: float
    cold: ColdStart
    warm: Latency
    handler: Latency
    seen: Sequence[Seen]
    elapsed_s: float

    @property
    def correct(self) -> int:
        return sum(each.correct for each in self.seen)


def document(facts: Facts, *, calls: Sequence[str]) -> dict[str, Any]:
    """Write the facts for a script; `calls` are commands to try while the demo stays up."""
    return {
        "model": facts.manifest.model,
        "version": facts.manifest.version,
        "size_bytes": size_bytes(facts.manifest),
        "bundle": str(facts.built.bundle_dir),
        "metrics": facts.built.bundle.metrics,
        "parity": facts.built.parity,
        "published_s": facts.published_s,
        "cold_start_ms": facts.cold.elapsed_ms,
        "cold_start_parts_ms": facts.cold.parts_ms,
        "warm_ms": asdict(facts.warm),
        "handler_ms": asdict(facts.handler),
        "requests": len(facts.seen),
        "requests_by_version": Counter(each.version for each in facts.seen),
        "correct": facts.correct,
        "predictions": [
            {"true": each.sample.label, "label": each.label, "probability": each.probability}
            for each in facts.seen
        ],
        "calls": list(calls),
        "elapsed_s": facts.elapsed_s,
    }
