"""`lampyris models`: what the registry holds."""

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from lampyris.domain.layout import rejected_prefix
from lampyris.domain.manifest import Alias, Manifest, Rejection
from lampyris.domain.names import LIVE, check_model_name
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound, ModelNotFound
from lampyris.registry.documents import (
    list_models,
    read_alias,
    read_aliases,
    read_rejection,
    read_versions,
)
from lampyris_local.cli.output import answers, date, new_table, percent, print_json, program, remarks, size
from lampyris_local.summary import accuracy, size_bytes


def list_all(store: Store, *, as_json: bool) -> None:
    """Show every model, with the version that is live."""
    found = [(model, _live(store, model)) for model in list_models(store)]
    if as_json:
        print_json([{"model": model, "live": live and _facts(live)} for model, live in found])
    elif not found:
        remarks().print(f"There is no model yet; to make one: {program()} publish BUNDLE")
    else:
        answers().print(_models_table(found))


def _live(store: Store, model: str) -> Manifest | None:
    """Return the version that `live` sends most requests to."""
    try:
        alias, _ = read_alias(store, model, LIVE)
    except AliasNotFound:
        return None
    return max(alias.routes, key=lambda route: route.weight).manifest


def _models_table(found: Sequence[tuple[str, Manifest | None]]) -> Table:
    table = new_table("model", "live", "size", "accuracy", "created", numbers=("live", "size", "accuracy"))
    for model, live in found:
        table.add_row(Text(model, "name"), *(_cells(live) if live else ("-", "-", "-", "-")))
    return table


def _cells(manifest: Manifest) -> tuple[str, str, str, str]:
    return (
        str(manifest.version),
        size(size_bytes(manifest)),
        percent(accuracy(manifest)),
        date(manifest.created_at),
    )


def show_one(store: Store, model: str, *, as_json: bool) -> None:
    """Show a model's versions, aliases and refused uploads.

    Raises: ModelNotFound if it has none of them; InvalidName.
    """
    check_model_name(model)
    versions = read_versions(store, model)[::-1]
    aliases = read_aliases(store, model)
    rejections = _rejections(store, model)
    if not versions and not rejections:
        raise ModelNotFound(model=model)
    if as_json:
        print_json(_document(model, versions, aliases, rejections))
        return
    tables = [
        table
        for table, rows in (
            (_versions_table(versions, aliases), versions),
            (_aliases_table(aliases), aliases),
            (_rejections_table(rejections), rejections),
        )
        if rows
    ]
    for number, table in enumerate(tables):
        if number:
            answers().print()
        answers().print(table)


def _rejections(store: Store, model: str) -> list[Rejection]:
    """Read why uploads were refused, the newest first."""
    prefix = rejected_prefix(model)
    uploads = [entry.key.removeprefix(prefix).removesuffix(".json") for entry in store.list(prefix)]
    found = [rejection for upload in uploads if (rejection := read_rejection(store, model, upload))]
    return sorted(found, key=lambda rejection: rejection.rejected_at, reverse=True)


def _versions_table(versions: Sequence[Manifest], aliases: Sequence[Alias]) -> Table:
    table = new_table(
        "version", "aliases", "size", "accuracy", "created", "upload", numbers=("version", "size", "accuracy")
    )
    for manifest in versions:
        version, *rest = _cells(manifest)
        pointing = [
            alias.alias
            for alias in aliases
            if manifest.version in (route.manifest.version for route in alias.routes)
        ]
        table.add_row(version, Text(", ".join(pointing), "good"), *rest, Text(manifest.upload, "quiet"))
    return table


def _aliases_table(aliases: Sequence[Alias]) -> Table:
    table = new_table("alias", "routes", "revision", "changed", "why", numbers=("revision",))
    for alias in aliases:
        table.add_row(
            Text(alias.alias, "name"),
            ", ".join(f"version {route.manifest.version} ({route.weight} %)" for route in alias.routes),
            str(alias.revision),
            date(alias.change.at),
            Text.assemble(alias.change.reason, (f" ({alias.change.by})", "quiet")),
        )
    return table


def _rejections_table(rejections: Sequence[Rejection]) -> Table:
    table = new_table("refused upload", "at", "code", "why")
    for rejection in rejections:
        table.add_row(
            rejection.upload, date(rejection.rejected_at), Text(rejection.code, "bad"), rejection.detail
        )
    return table


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "size_bytes": size_bytes(manifest),
        "accuracy": accuracy(manifest),
        "created_at": manifest.created_at,
        "upload": manifest.upload,
        "metrics": manifest.metrics,
    }


def _document(
    model: str, versions: Sequence[Manifest], aliases: Sequence[Alias], rejections: Sequence[Rejection]
) -> dict[str, Any]:
    return {
        "model": model,
        "versions": [_facts(manifest) for manifest in versions],
        "aliases": [
            {
                "alias": alias.alias,
                "revision": alias.revision,
                "routes": [
                    {"version": route.manifest.version, "weight": route.weight} for route in alias.routes
                ],
                "changed_at": alias.change.at,
                "changed_by": alias.change.by,
                "reason": alias.change.reason,
            }
            for alias in aliases
        ],
        "rejected": [msgspec.to_builtins(rejection) for rejection in rejections],
    }
