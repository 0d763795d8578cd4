"""What a recipe names as a path, on this disk: a file or folder, an https URL, or something in a bucket.

What comes from elsewhere is kept in the user's cache, and fetched once.
"""

import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from lampyris.adapters.webhook import is_public
from lampyris_build.data.bucket import find
from lampyris_build.errors import DatasetBroken, DatasetMissing, InvalidRecipe, WriteFailed

_BLOCK_BYTES: Final = 8 * 1024**2
_TIMEOUT_S: Final = 30.0
_MAX_REDIRECTS: Final = 10
_only_public: ContextVar[bool] = ContextVar("only_public", default=False)
_kept_in: ContextVar[Path | None] = ContextVar("kept_in", default=None)


def local_path(path: str, sha256: str | None) -> Path:
    """Return where the data stand on this disk, after fetching them if they are elsewhere.

    - https://… is fetched if its bytes have the SHA-256 that the recipe names, which it must.
    - s3://bucket/key is an object, or all objects below key/, wherever AWS's variables and profiles say that
      S3 is.
    - Anything else is a path; a file's SHA-256 is checked if the recipe names one.

    Raises: InvalidRecipe, DatasetMissing, DatasetBroken, WriteFailed.
    """
    scheme, _, rest = path.partition("://")
    match scheme if rest else "":
        case "https":
            if sha256 is None:
                raise InvalidRecipe(
                    reason=f"dataset.path is {path}, and dataset.sha256 is missing: say which bytes are "
                    "right, so that the build can be repeated."
                )
            return _from_url(path, sha256)
        case "s3":
            return _checked(_from_bucket(path), path, sha256)
        case "":
            return _checked(Path(path).expanduser(), path, sha256)
        case _:
            raise InvalidRecipe(
                reason=f"dataset.path is {path}; it can be a file or folder, s3://bucket/key or https://…, "
                f"not {scheme}://."
            )


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Keep what is fetched in a folder of one's own, within."""
    token = _kept_in.set(folder)
    try:
        yield
    finally:
        _kept_in.reset(token)


@contextmanager
def only_public() -> Iterator[None]:
    """Fetch from hosts on the public internet alone, within: who names them may reach no network of ours."""
    token = _only_public.set(True)
    try:
        yield
    finally:
        _only_public.reset(token)


def cache_folder() -> Path:
    """Return where fetched data are kept: lampyris/data in XDG_CACHE_HOME, or in ~/.cache."""
    kept_in = _kept_in.get()
    if kept_in is not None:
        return kept_in
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lampyris" / "data"


def _checked(path: Path, named: str, sha256: str | None) -> Path:
    if sha256 is None or not path.exists():
        return path
    if path.is_dir():
        raise InvalidRecipe(
            reason=f"dataset.sha256 is that of a file, but {named} is a folder; leave it out."
        )
    came = _sha256(path)
    if came != sha256:
        raise _wrong_bytes(named, came, sha256)
    return path


def _wrong_bytes(named: str, came: str, wanted: str) -> DatasetBroken:
    return DatasetBroken(path=named, reason=f"its SHA-256 is {came}, but dataset.sha256 is {wanted}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_url(url: str, sha256: str) -> Path:
    kept = cache_folder() / sha256 / _name(unquote(urlsplit(url).path))
    if kept.is_file() and _sha256(kept) == sha256:
        return kept
    with _beside(kept.parent) as folder:
        digest = hashlib.sha256()
        with (folder / kept.name).open("wb") as file:
            for block in _download(url):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256:
            raise _wrong_bytes(url, digest.hexdigest(), sha256)
    return kept


def _download(url: str) -> Iterator[bytes]:
    try:
        with (
            httpx.Client(
                follow_redirects=True,
                max_redirects=_MAX_REDIRECTS,
                timeout=_TIMEOUT_S,
                event_hooks={"request": [_check_request]},
            ) as client,
            client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer,
        ):
            if not answer.is_success:
                raise DatasetMissing(
                    path=url,
                    wanted=f"it answers {answer.status_code} {answer.reason_phrase}.",
                    may_pass=answer.is_server_error,
                )
            yield from answer.iter_raw(_BLOCK_BYTES)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DatasetMissing(
            path=url, wanted=f"it cannot be fetched: {str(error) or type(error).__name__}.", may_pass=True
        ) from None


def _check_request(request: httpx.Request) -> None:
    """Look at an address, and at each that it leads to, before it is asked. Raises: DatasetMissing."""
    url = request.url
    if url.scheme != "https":
        raise DatasetMissing(path=str(url), wanted="an https URL led there, and only https is followed.")
    if _only_public.get() and not _is_public(url.host, url.port or 443):
        raise DatasetMissing(path=str(url), wanted="its host is not on the public internet.")


def _is_public(host: str, port: int) -> bool:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return True  # it cannot be reached either, which is told as always
    return all(is_public(str(one[4][0])) for one in found)


def _from_bucket(url: str) -> Path:
    found = find(url)
    # Another writing of the same key is another file.
    state = "\0".join(f"{entry.key} {entry.size_bytes} {entry.modified_at}" for entry in found.entries)
    kept = cache_folder() / hashlib.sha256(f"{url}\0{state}".encode()).hexdigest() / _name(url)
    if kept.exists():
        return kept
    with _beside(kept.parent) as folder:
        for entry in found.entries:
            path = (
                folder / kept.name / entry.key.removeprefix(found.prefix)
                if found.prefix
                else folder / kept.name
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(found.read(entry))
    return kept


def _name(path: str) -> str:
    """Return the last part of a path: what follows its dot may say what the file is."""
    return PurePosixPath(path).name or "data"


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a folder to fill; when it is whole, it takes the place of `folder`. Raises: WriteFailed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=".", dir=folder.parent))
    except OSError as error:
        raise WriteFailed(path=folder.parent, reason=str(error.strerror)) from None
    try:
        yield unfinished
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except OSError as error:
        if not folder.exists():  # else another build was faster
            raise WriteFailed(path=folder, reason=str(error.strerror)) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
