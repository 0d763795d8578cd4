"""What stands on a model card, whatever it is written in."""

from collections.abc import Sequence

import msgspec

from lampyris.cards.section import Section
from lampyris.cards.sections import (
    details,
    files,
    gates,
    how_to_call,
    inputs_and_outputs,
    intended_use,
    licences,
    metrics,
    provenance,
    signing,
)
from lampyris.domain.manifest import Alias, Manifest


class Card(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    sections: tuple[Section, ...]


def model_card(manifest: Manifest, aliases: Sequence[Alias] = ()) -> Card:
    """Put a version's card together; `aliases` are its model's, to say which of them use it."""
    return Card(
        title=f"{manifest.model}, version {manifest.version}",
        sections=(
            details(manifest, aliases),
            intended_use(manifest),
            metrics(manifest),
            gates(manifest),
            provenance(manifest),
            licences(manifest),
            signing(manifest),
            inputs_and_outputs(manifest),
            how_to_call(manifest),
            files(manifest),
        ),
    )
