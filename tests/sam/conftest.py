"""The same packaged functions under AWS's `sam local` and under the local cloud, over the same uploads.

scripts/test-sam makes what these fixtures expect: .venv-sam, dist/x86_64 and a container engine.
"""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from samtranslator.yaml_helper import yaml_parse

from lampyris_local.cloud.local_cloud import LocalCloud
from sam_local import (
    BUCKET,
    HOST_IN_CONTAINERS,
    PACKAGED,
    PATIENCE_S,
    REGION,
    ROOT,
    UPLOADS,
    Sam,
    await_key,
    await_port,
    open_bucket,
    put_event,
)


@pytest.fixture(scope="session")
def local_cloud() -> Iterator[LocalCloud]:
    with LocalCloud(ROOT / "template.yaml") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def local_bucket(local_cloud: LocalCloud) -> S3Store:
    """The local cloud's bucket, after its own S3 event, queue and publish function have seen the uploads."""
    bucket = open_bucket(local_cloud.endpoint_url, local_cloud.outputs["Bucket"])
    for key, data in UPLOADS.items():
        obstore.put(bucket, key, data)
    await_key(bucket, "models/glow/revisions/live/000000001.json")  # after the alias was pointed
    await_key(bucket, "rejected/broken/first.json")
    return bucket


@pytest.fixture(scope="session")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sam]:
    folder = tmp_path_factory.mktemp("sam")
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0)
    server.start()
    port = server.get_host_and_port()[1]
    # sam passes on only the variables that the template declares, so the store's address is declared here.
    code = re.sub("CodeUri: ", f"CodeUri: {PACKAGED.parent}/", PACKAGED.read_text())
    template = folder / "template.yaml"
    template.write_text(
        code.replace("LAMPYRIS_BUCKET: !Ref Bucket", "LAMPYRIS_BUCKET: ''\n        AWS_ENDPOINT_URL: ''")
    )
    variables = folder / "variables.json"
    endpoint = f"http://127.0.0.1:{port}"
    settings = {"LAMPYRIS_BUCKET": BUCKET, "AWS_ENDPOINT_URL": f"http://{HOST_IN_CONTAINERS}:{port}"}
    settings |= make_services_of_jobs(endpoint)
    variables.write_text(json.dumps({"Parameters": settings}))
    httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
    bucket = open_bucket(endpoint, BUCKET)
    for key, data in UPLOADS.items():
        obstore.put(bucket, key, data)
    yield Sam(template=template, variables=variables, folder=folder, endpoint=endpoint)
    server.stop()


def make_services_of_jobs(endpoint: str) -> dict[str, str]:
    """Make the table of jobs and their queues; return the variables that name them to a container."""

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION)

    declared = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]["JobsTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client("dynamodb").create_table(TableName="jobs", **{key: declared[key] for key in keys})
    variables = {"LAMPYRIS_JOBS_TABLE": "jobs"}
    for name in ("attend", "train", "batch", "dead"):
        url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
        variables[f"LAMPYRIS_{name.upper()}_QUEUE"] = url.replace("127.0.0.1", HOST_IN_CONTAINERS)
    return variables


@pytest.fixture(scope="session")
def sam_bucket(sam: Sam) -> S3Store:
    """sam's bucket, after the publish function has had the event of each upload."""
    settings = json.loads(sam.variables.read_text())["Parameters"]
    bucket = open_bucket(settings["AWS_ENDPOINT_URL"].replace(HOST_IN_CONTAINERS, "127.0.0.1"), BUCKET)
    for key in UPLOADS:
        assert sam.invoke("PublishFunction", put_event(key)) == {"batchItemFailures": []}
    return bucket


@pytest.fixture(scope="session")
def sam_api(sam: Sam, sam_bucket: S3Store) -> Iterator[str]:
    """The address of `sam local start-api`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = sam.folder / "start-api.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            sam.command("start-api", "--port", str(port), "--warm-containers", "LAZY"),
            env=sam.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        await_port(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)  # at which sam removes its containers
        process.wait(timeout=PATIENCE_S)
