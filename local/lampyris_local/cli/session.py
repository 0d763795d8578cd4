"""Commands that are verbs of the registry: the options that they share, whom they ask, and how they answer.

A command is written with a `session` first; its decorator puts options in the place of it:

    @aliases.command()
    @moves
    def promote(session: Session, model: options.Model) -> None: …
"""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from lampyris.errors import LampyrisError
from lampyris_local.cli import options

if TYPE_CHECKING:
    import msgspec

    from lampyris.control.call import Caller, Registry
    from lampyris.domain.store import Store
    from lampyris_local.deployment import Deployment

T = TypeVar("T")


@dataclass(eq=False, kw_only=True)
class NotConfirmed(LampyrisError):
    """What cannot be undone was not confirmed, and there is nobody to ask."""

    code = "not-confirmed"
    question: str

    def __str__(self) -> str:
        return f"{self.question} Nobody can be asked here: add --yes to say so."


@dataclass(frozen=True, kw_only=True)
class Session:
    """A registry to ask, on behalf of somebody; the answers go to stdout."""

    deployment: "Deployment"
    registry: "Registry"
    caller: "Caller"
    as_json: bool
    yes: bool
    # The options that say where, as they were given: for commands to be typed next.
    where: str = ""

    def ask(self, verb: str, arguments: "msgspec.Struct", *, working: str = "") -> Any:
        """Run a verb. One that takes long shows how far it is, under the name `working`."""
        from lampyris.control.verbs import VERBS

        chosen = next(one for one in VERBS if one.name == verb)
        if chosen.deployed:
            from lampyris_local.api import Api

            with Api(self.deployment) as api:
                return api.ask(verb, arguments, self.caller)
        with self._progress(working) as registry:
            return chosen.run(registry, arguments, self.caller)

    def answer(
        self, verb: str, arguments: "msgspec.Struct", show: Callable[[T], None], *, working: str = ""
    ) -> T:
        """Run a verb and print its answer, as a JSON document or as `show` does; then return it."""
        answer: T = self.ask(verb, arguments, working=working)
        if self.as_json:
            from lampyris_local.cli.output import print_json

            print_json(answer)
        else:
            show(answer)
        return answer

    def beside(self, backups: "Store") -> "Session":
        """Return the same session, with a place for backups."""
        from msgspec.structs import replace as with_field

        return replace(self, registry=with_field(self.registry, backups=backups))

    def confirm(self, question: str) -> None:
        """Have what cannot be undone confirmed. Raises: NotConfirmed; typer.Abort if the answer is no."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise NotConfirmed(question=question)
        typer.confirm(question, abort=True, err=True)

    @contextmanager
    def _progress(self, working: str) -> Iterator["Registry"]:
        from lampyris_local.cli.output import remarks

        console = remarks()
        if not working or not console.is_terminal:
            yield self.registry
            return
        from msgspec.structs import replace as with_field
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        with Progress(
            SpinnerColumn(style="name"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task(working, total=None)
            yield with_field(
                self.registry,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )


def _open(
    *,
    endpoint: str | None,
    stack: str,
    profile: str | None,
    region: str | None,
    as_json: bool,
    reason: str | None = None,
    idempotency_key: str | None = None,
    if_revision: int | None = None,
    yes: bool = False,
) -> Session:
    import secrets
    from datetime import UTC, datetime

    from lampyris.control.call import Caller, Registry
    from lampyris_local.caller import caller_of
    from lampyris_local.deployment import find_deployment

    deployment = find_deployment(endpoint=endpoint, stack=stack, profile=profile, region=region)
    return Session(
        deployment=deployment,
        registry=Registry(store=deployment.store, now=lambda: datetime.now(UTC)),
        caller=Caller(
            # Who only asks is not written down anywhere, and AWS is not asked who it is.
            by="" if reason is None else caller_of(deployment, profile=profile, region=region),
            key=secrets.token_hex(16) if idempotency_key is None else idempotency_key,
            reason=reason or "",
            expected=if_revision,
        ),
        as_json=as_json,
        yes=yes,
        where=_where(endpoint=endpoint, stack=stack, profile=profile, region=region),
    )


def _where(**given: str | None) -> str:
    """Write the options again that say where, but for what the environment says already."""
    import os
    import shlex

    defaults = {"stack": options.DEFAULT_STACK}
    return "".join(
        f" --{name} {shlex.quote(value)}"
        for name, value in given.items()
        if value and value != os.environ.get(f"LAMPYRIS_{name.upper()}", defaults.get(name))
    )


_WHERE: tuple[tuple[str, Any, Any], ...] = (
    ("endpoint", options.Endpoint, None),
    ("stack", options.Stack, options.DEFAULT_STACK),
    ("profile", options.Profile, None),
    ("region", options.Region, None),
    ("as_json", options.Json, False),
)
_KEY: tuple[str, Any, Any] = ("idempotency_key", options.IdempotencyKey, None)
_WHY: tuple[tuple[str, Any, Any], ...] = (("reason", options.Reason, ""), _KEY)


def _with(*shared: tuple[str, Any, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the decorator that gives a command these options, and in their place a session."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = list(signature(function, eval_str=True).parameters.values())[1:]
        added = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, annotation, default in shared
        ]

        def command(**values: Any) -> None:
            session = _open(**{name: values.pop(name) for name, _, _ in shared})
            function(session, **values)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = Signature([*own, *added])  # type: ignore[attr-defined]  # typer reads it
        return command

    return decorate


asks = _with(*_WHERE)
changes = _with(*_WHY, *_WHERE)
moves = _with(("if_revision", options.IfRevision, None), *_WHY, *_WHERE)
submits = _with(_KEY, *_WHERE)
removes = _with(("yes", options.Yes, False), _KEY, *_WHERE)
destroys = _with(("yes", options.Yes, False), *_WHY, *_WHERE)
