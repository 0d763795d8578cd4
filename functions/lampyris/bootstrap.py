"""The composition root: the only module that reads the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from lampyris.adapters.object_store import ObjectStore, s3_store
from lampyris.domain.names import check_alias_name, check_model_name
from lampyris.errors import LampyrisError


@dataclass(eq=False, kw_only=True)
class MissingSettings(LampyrisError):
    """The function was deployed without what it needs."""

    code = "missing-settings"
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"Set these environment variables of the function: {', '.join(self.names)}."


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a function's environment says.

    `preload` lists (model, alias) to load during INIT; `memory_mb` is the function's own memory.
    """

    bucket: str
    endpoint: str | None
    memory_mb: int
    preload: tuple[tuple[str, str], ...]
    alias_ttl_s: float


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings of an execution environment.

    Raises: MissingSettings naming everything that is missing; InvalidName if LAMPYRIS_PRELOAD names no model.
    """
    missing = tuple(name for name in ("LAMPYRIS_BUCKET",) if not environ.get(name))
    if missing:
        raise MissingSettings(names=missing)
    return Settings(
        bucket=environ["LAMPYRIS_BUCKET"],
        endpoint=environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"),
        memory_mb=int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")),
        preload=tuple(
            _model_and_alias(item.strip())
            for item in environ.get("LAMPYRIS_PRELOAD", "").split(",")
            if item.strip()
        ),
        alias_ttl_s=float(environ.get("LAMPYRIS_ALIAS_TTL_S", "5")),
    )


def _model_and_alias(item: str) -> tuple[str, str]:
    model, _, alias = item.partition("@")
    return check_model_name(model), check_alias_name(alias or "live")


def open_store(settings: Settings) -> ObjectStore:
    """Open the registry's bucket."""
    return s3_store(settings.bucket, endpoint=settings.endpoint)
