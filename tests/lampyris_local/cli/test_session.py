"""What commands ask of a person, at a terminal that is one."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from lampyris.adapters.folder_store import FolderStore
from lampyris.registry.blobs import put_blobs, release
from lampyris_local.cli.commands import app
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.deployment import find_deployment

PROGRAM = Path(sys.executable).with_name("lampyris")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry with one blob that nothing names."""
    store = FolderStore(tmp_path / "registry")
    put_blobs(store, "iris/died", [b"nobody's"])
    release(store, "iris/died")
    return tmp_path / "registry"


def answer(folder: Path, said: bytes) -> tuple[int, str]:
    """Run `lampyris gc` on a terminal, and say something there; return its exit code and what it showed."""
    terminal, other_end = pty.openpty()
    try:
        process = subprocess.Popen(
            [PROGRAM, "gc", "--grace", "0", "--endpoint", folder.as_uri()],
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
        )
        os.close(other_end)
        os.write(terminal, said)
        shown = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # the other end is closed: Linux' way to say so
                break
            if not part:
                break
            shown += part
        return process.wait(timeout=30), shown.decode()
    finally:
        os.close(terminal)


def test_yes_on_a_terminal_goes_on(folder: Path) -> None:
    code, shown = answer(folder, b"y\n")

    assert code == 0
    assert "beyond recovery? [y/N]" in shown
    assert not list(FolderStore(folder).list("blobs/"))


def test_anything_else_leaves_all_as_it_is(folder: Path) -> None:
    code, shown = answer(folder, b"\n")

    assert code == 1
    assert "Aborted" in shown
    assert len(list(FolderStore(folder).list("blobs/"))) == 1


def test_backup_goes_to_another_bucket_of_the_same_cloud(cloud: LocalCloud, published: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    s3.create_bucket(Bucket="my-backups")

    result = CliRunner(env={"LAMPYRIS_ENDPOINT": cloud.api_url}).invoke(
        app, ["backup", "s3://my-backups", "--model", published]
    )

    assert result.exit_code == 0, result.stderr
    copies = find_deployment(endpoint=cloud.api_url).open_bucket("my-backups")
    assert copies.get(f"models/{published}/versions/1.json").data
