"""A request to the registry: its verb is found, its arguments are read, it is run, its answer is sent."""

from contextlib import suppress

import msgspec

from lampyris.bootstrap import Control
from lampyris.control import aliases
from lampyris.control.aliases import AliasState, OneAlias
from lampyris.control.call import Caller, Registry
from lampyris.control.verbs import Verb
from lampyris.errors import MalformedRequest, NotFound
from lampyris.http.control.answers import reply_of
from lampyris.http.control.arguments import read_arguments
from lampyris.http.control.callers import KEY_HEADER, caller_of
from lampyris.http.control.preconditions import etag, is_known, refuse_preconditions, run_expecting
from lampyris.http.control.routing import find_verb
from lampyris.http.event import Request
from lampyris.http.reply import Reply


def answer(request: Request, control: Control, by: str) -> Reply:
    """Answer what `by` asks of the registry.

    Raises: RouteNotFound, MethodNotAllowed, MalformedRequest, AliasChanged, and what the verb raises.
    """
    _check_text(request)
    verb, named = find_verb(request)
    arguments = read_arguments(verb, request, named)
    caller = caller_of(request, by, control.new_id)
    registry = Registry(
        store=control.store,
        now=control.now,
        may_go_on=lambda: control.clock() < request.deadline_s,
        backups=control.backups,
        jobs=control.open_jobs() if verb.deployed and control.open_jobs else None,
        dead_letters=control.open_dead_letters() if verb.deployed and control.open_dead_letters else None,
        bucket=control.bucket,
    )
    if verb.changes:
        reply = reply_of(verb, _change(verb, registry, arguments, caller, request), request)
        return msgspec.structs.replace(reply, headers={**reply.headers, KEY_HEADER: caller.key})
    found = verb.run(registry, arguments, caller)
    if isinstance(found, AliasState) and is_known(request, found):
        return Reply(body="", status=304, headers={"etag": etag(found)})
    return reply_of(verb, found, request)


def _change(
    verb: Verb, registry: Registry, arguments: msgspec.Struct, caller: Caller, request: Request
) -> object:
    if not isinstance(arguments, OneAlias):
        refuse_preconditions(request)
        return verb.run(registry, arguments, caller)

    def run(expected: int | None) -> AliasState:
        moved: AliasState = verb.run(registry, arguments, msgspec.structs.replace(caller, expected=expected))
        return moved

    def show() -> AliasState | None:
        with suppress(NotFound):
            return aliases.show(registry, OneAlias(model=arguments.model, alias=arguments.alias), caller)
        return None

    return run_expecting(request, arguments, run, show)


def _check_text(request: Request) -> None:
    """Raises: MalformedRequest if the path, the query or a header holds half of a surrogate pair."""
    for text in (request.path, *request.query.keys(), *request.query.values(), *request.headers.values()):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise MalformedRequest(reason=f"{text[:80]!r} is not Unicode text.") from None
