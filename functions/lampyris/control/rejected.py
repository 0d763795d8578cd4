"""Verbs about uploads that were refused."""

from itertools import islice
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import RejectedModel, UploadName
from lampyris.control.pages import Page, PageArguments
from lampyris.domain.layout import NOWHERE, rejected_key, rejected_prefix
from lampyris.domain.manifest import Rejection
from lampyris.domain.names import check_model_name, check_upload_id
from lampyris.errors import RejectionNotFound
from lampyris.registry.documents import read_rejection
from lampyris.registry.reading import read_each

_ROOT = "rejected/"


class RejectionPage(Page[Rejection], frozen=True, kw_only=True):
    """Refused uploads."""


class ListRejected(PageArguments, frozen=True, kw_only=True):
    model: Annotated[
        str | None, msgspec.Meta(description=f"Only of this model; `{NOWHERE}` for misplaced uploads.")
    ] = None


class OneRejected(msgspec.Struct, frozen=True, kw_only=True):
    model: RejectedModel
    upload: UploadName


def list_all(registry: Registry, arguments: ListRejected, _caller: Caller) -> RejectionPage:
    """List refusals by model and upload; `after` is "model/upload". Raises: InvalidName."""
    prefix = _ROOT if arguments.model is None else rejected_prefix(_checked(arguments.model))
    after = "" if arguments.after is None else rejected_key(*_place(arguments.after))
    found = [entry.key for entry in islice(registry.store.list(prefix, after), arguments.limit + 1)]
    places = [_place(key.removeprefix(_ROOT).removesuffix(".json")) for key in found[: arguments.limit]]
    rejections = read_each(lambda place: read_rejection(registry.store, *place), places)
    return RejectionPage(
        items=tuple(rejection for rejection in rejections if rejection is not None),
        next="/".join(places[-1]) if len(found) > len(places) else None,
    )


def _place(name: str) -> tuple[str, str]:
    model, _, upload = name.partition("/")
    return model, upload


def _checked(model: str) -> str:
    return model if model == NOWHERE else check_model_name(model)


def show(registry: Registry, arguments: OneRejected, _caller: Caller) -> Rejection:
    """Raises: RejectionNotFound, InvalidName."""
    model, upload = _checked(arguments.model), check_upload_id(arguments.upload)
    rejection = read_rejection(registry.store, model, upload)
    if rejection is None:
        raise RejectionNotFound(model=model, upload=upload)
    return rejection
