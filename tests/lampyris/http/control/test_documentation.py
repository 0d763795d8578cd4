"""docs/http-api.md against the API: its commands work, and its tables are whole."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from lampyris.adapters.object_store import s3_store
from lampyris.domain.store import Store
from lampyris.http.problems import INTERNAL_ERROR, PROBLEMS
from lampyris.registry.aliases import roll_back
from lampyris.registry.changes import Author

PAGE = (Path(__file__).parents[4] / "docs/http-api.md").read_text()
BUCKETS = count(1)  # every moto server in this process shares its buckets
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]], np.float32)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    yield url
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket whose addresses lead somewhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = f"documentation-{next(BUCKETS)}"
    httpx.put(f"{endpoint}/{bucket}").raise_for_status()
    return s3_store(bucket, endpoint=endpoint)


@pytest.fixture
def models(store: Store, publish_linear: Any, publish_picture: Any) -> None:
    """Publish what the page calls; of `iris` the newest version is not live yet."""
    for seed in range(3):
        publish_linear("iris", width=4, seed=seed)
    roll_back(store, "iris", "live", author=Author(key="back", by="a test"), now=datetime.now(UTC))
    publish_linear("old", width=4)
    publish_picture("digits")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands find the files that they name."""
    place = tmp_path / "here"
    place.mkdir()
    for name in ("seven.png", "two.png"):
        Image.new("L", (4, 4), 200).save(place / name)
    np.savetxt(place / "flowers.csv", FLOWERS, delimiter=",")
    np.save(place / "flowers.npy", FLOWERS)
    (place / "iris.onnx").write_bytes(b"a model")
    (place / "flowers.ndjson").write_text("".join(f"{row}\n" for row in FLOWERS.tolist()))
    (place / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    return place


@pytest.mark.usefixtures("models")
def test_every_command_of_the_page_works(api: str, folder: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "CURL_HOME": str(folder), "API": api}
    commands = [command for block in blocks("sh") for command in re.split(r"\n(?=curl|gzip)", block)]

    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    assert len(commands) > 20
    assert np.load(folder / "scores.npy").shape == (1, 3)


@pytest.mark.usefixtures("models")
def test_the_code_of_the_page_works(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")

    exec(code, {"API": api, "np": np})

    assert capsys.readouterr().out.splitlines()[-1].startswith("[[")


def test_problems_stand_in_the_table_with_their_status() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", PAGE, re.MULTILINE)

    listed = {code: int(status) for code, status in rows}
    assert listed == {INTERNAL_ERROR: 500, **{error.code: status for error, (status, _) in PROBLEMS.items()}}
    assert len(rows) == len(listed)
    assert [int(status) for _, status in rows] == sorted(int(status) for _, status in rows)
