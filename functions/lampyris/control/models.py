"""Verbs about models."""

import msgspec

from lampyris.control.aliases import AliasState, state_of
from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName
from lampyris.control.pages import Page, PageArguments
from lampyris.control.versions import LivingVersion, living
from lampyris.domain.names import LIVE, check_model_name
from lampyris.errors import AliasNotFound, ModelNotFound
from lampyris.registry.documents import list_models, list_versions, read_alias, read_aliases
from lampyris.registry.reading import read_each


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and the stable version of its alias `live`; null if it has none."""

    model: str
    live: LivingVersion | None


class ModelPage(Page[ModelSummary], frozen=True, kw_only=True):
    """Models."""


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A model: its aliases, and the highest number that a version of it ever had."""

    model: str
    newest: int
    aliases: tuple[AliasState, ...]


class OneModel(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName


def list_all(registry: Registry, arguments: PageArguments, _caller: Caller) -> ModelPage:
    """List every model, in order of their names."""
    names = [
        name for name in list_models(registry.store) if arguments.after is None or name > arguments.after
    ]
    chosen = names[: arguments.limit]

    def read(model: str) -> ModelSummary:
        try:
            alias, _ = read_alias(registry.store, model, LIVE)
        except (AliasNotFound, ModelNotFound):
            return ModelSummary(model=model, live=None)
        return ModelSummary(model=model, live=living(alias.stable))

    return ModelPage(
        items=tuple(read_each(read, chosen)), next=chosen[-1] if len(names) > len(chosen) else None
    )


def show(registry: Registry, arguments: OneModel, _caller: Caller) -> ModelDetails:
    """Raises: ModelNotFound, InvalidName."""
    model = check_model_name(arguments.model)
    numbers = list_versions(registry.store, model)
    if not numbers:
        raise ModelNotFound(model=model)
    aliases = read_aliases(registry.store, model)
    return ModelDetails(model=model, newest=numbers[-1], aliases=tuple(map(state_of, aliases)))
