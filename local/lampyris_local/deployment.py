"""Where a deployment is, on this machine or on AWS: its registry, its API, and how calls to it are signed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from obstore.store import S3Store

from lampyris.adapters.object_store import CHECKSUM, ObjectStore
from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris_local.folder_endpoint import SCHEME, folder_at

if TYPE_CHECKING:  # obstore offers these names to type checkers only
    from obstore.store import ClientConfig, RetryConfig

OUTPUTS_PATH = "/_local/outputs"

# Whoever publishes may sit behind a slow line: one part of a large model may take minutes.
_TRANSFER_TIMEOUT = timedelta(minutes=5)
_RETRIES: "RetryConfig" = {"max_retries": 4, "retry_timeout": _TRANSFER_TIMEOUT}
# https unless the environment names an endpoint (AWS_ENDPOINT_URL) that is not.
_CLIENT: "ClientConfig" = {"timeout": _TRANSFER_TIMEOUT, "allow_http": True}
_CONNECT_TIMEOUT_S = 5.0

Sign = Callable[[httpx.Request], httpx.Request]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A Lampyris somewhere. `api_url` is None where none runs: in a folder.

    `open_bucket` opens another bucket by the same credentials. `sign` is None where calls need no signature.
    """

    store: Store
    api_url: str | None
    open_bucket: Callable[[str], Store]
    sign: Sign | None = None

    def api(self) -> str:
        """Return where the API answers. Raises: NoApi."""
        if self.api_url is None:
            raise NoApi
        return self.api_url


@dataclass(eq=False, kw_only=True)
class NoApi(LampyrisError):
    """A registry in a folder was asked for what only a running deployment does."""

    code = "no-api"

    def __str__(self) -> str:
        return (
            "A registry in a folder answers no HTTP. Give the --endpoint of a local cloud, or the --stack "
            "of a deployment on AWS; `aws s3 sync` copies the folder into its bucket."
        )


@dataclass(eq=False, kw_only=True)
class NothingListens(LampyrisError):
    code = "nothing-listens"
    endpoint: str

    def __str__(self) -> str:
        return (
            f"Nothing answers at {self.endpoint}. Start the local cloud with `lampyris local`, "
            "and give the address that it prints."
        )


@dataclass(eq=False, kw_only=True)
class NotLampyris(LampyrisError):
    """Something answers at the endpoint, but it is no local cloud."""

    code = "not-lampyris"
    endpoint: str

    def __str__(self) -> str:
        return (
            f"What answers at {self.endpoint} is not a local cloud. Give the address that `lampyris local` "
            "prints; for a deployment on AWS give --stack instead."
        )


@dataclass(eq=False, kw_only=True)
class AwsUnavailable(LampyrisError):
    """AWS could not be asked: no credentials, no region, no permission, no connection."""

    code = "aws-unavailable"
    reason: str

    def __str__(self) -> str:
        return f"AWS could not be asked: {self.reason} (For the local cloud give --endpoint.)"


@dataclass(eq=False, kw_only=True)
class StackNotFound(LampyrisError):
    code = "stack-not-found"
    stack: str
    region: str

    def __str__(self) -> str:
        return (
            f"There is no Lampyris stack {self.stack!r} in {self.region}. Name it with --stack and --region, "
            "or give --endpoint for the local cloud."
        )


def find_deployment(
    *, endpoint: str | None, stack: str = "lampyris", profile: str | None = None, region: str | None = None
) -> Deployment:
    """Find the local cloud or the folder at `endpoint`, or else the stack on AWS.

    Raises: NothingListens, NotLampyris; NotAFolder; AwsUnavailable, StackNotFound.
    """
    if endpoint and endpoint.startswith(SCHEME):
        return _folder_deployment(endpoint, profile, region)
    if endpoint:
        return _local_deployment(endpoint.rstrip("/"))
    return _aws_deployment(stack, profile, region)


def _folder_deployment(endpoint: str, profile: str | None, region: str | None) -> Deployment:
    # It needs file locks, which not every system has that can talk to the others.
    from lampyris.adapters.folder_store import FolderStore  # noqa: PLC0415 - see above

    def open_bucket(name: str) -> Store:
        return _aws_bucket(name, aws_session(profile, region))

    return Deployment(store=FolderStore(folder_at(endpoint)), api_url=None, open_bucket=open_bucket)


class _LocalOutputs(msgspec.Struct, frozen=True):
    """What the local cloud says of itself: the template's outputs, and where S3 answers."""

    bucket: str = msgspec.field(name="Bucket")
    endpoint: str
    region: str


def _local_deployment(endpoint: str) -> Deployment:
    try:
        # Without the environment: a proxy that it names leads away from this machine.
        answer = httpx.get(endpoint + OUTPUTS_PATH, timeout=_CONNECT_TIMEOUT_S, trust_env=False)
    except (httpx.TransportError, httpx.InvalidURL, UnicodeError):  # the last for a host that is no name
        raise NothingListens(endpoint=endpoint) from None
    try:
        found = msgspec.json.decode(answer.content, type=_LocalOutputs)
    except msgspec.DecodeError:
        raise NotLampyris(endpoint=endpoint) from None

    def open_bucket(name: str) -> Store:
        return ObjectStore(
            S3Store(
                name,
                endpoint=found.endpoint,
                region=found.region,
                # The local cloud takes any; without them a credential would be looked for on the network.
                access_key_id="local",
                secret_access_key="local",  # noqa: S106 - not a secret, see above
                checksum_algorithm=CHECKSUM,
                # A proxy of its own, used for nothing, keeps it from asking the environment for one.
                client_options={**_CLIENT, "proxy_url": found.endpoint, "proxy_excludes": "*"},
                retry_config=_RETRIES,
            )
        )

    return Deployment(store=open_bucket(found.bucket), api_url=endpoint, open_bucket=open_bucket)


def _aws_deployment(stack: str, profile: str | None, region: str | None) -> Deployment:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - a part of boto3

    session = aws_session(profile, region)
    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except BotoCoreError as error:
        raise AwsUnavailable(reason=_sentence(str(error))) from None
    except ClientError as error:
        if "does not exist" in str(error):
            raise StackNotFound(stack=stack, region=session.region_name) from None
        raise AwsUnavailable(reason=_sentence(str(error))) from None
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stacks[0].get("Outputs", [])}
    if not {"Api", "Bucket"} <= outputs.keys():
        raise StackNotFound(stack=stack, region=session.region_name)
    return Deployment(
        store=_aws_bucket(outputs["Bucket"], session),
        api_url=outputs["Api"].rstrip("/"),
        open_bucket=partial(_aws_bucket, session=session),
        sign=_signer(session.get_credentials(), session.region_name),
    )


def aws_session(profile: str | None, region: str | None) -> Any:
    """Open boto3's session. Raises: AwsUnavailable if it finds no credentials."""
    # boto3 takes a quarter of a second to import, which only AWS is worth.
    import boto3  # noqa: PLC0415 - see above
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise AwsUnavailable(reason=_sentence(str(error))) from None
    if credentials is None:
        raise AwsUnavailable(
            reason="there are no credentials; run `aws configure`, or set AWS_PROFILE or --profile."
        )
    return session


def _aws_bucket(name: str, session: Any) -> Store:
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - imports boto3

    return ObjectStore(
        S3Store(
            name,
            region=session.region_name,
            credential_provider=Boto3CredentialProvider(session),
            checksum_algorithm=CHECKSUM,
            client_options=_CLIENT,
            retry_config=_RETRIES,
        )
    )


def _signer(credentials: Any, region: str) -> Sign:
    """Make the function that signs requests to the API (AWS Signature Version 4, service execute-api)."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - imports half of boto3
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above

    def sign(request: httpx.Request) -> httpx.Request:
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            headers={"content-type": request.headers.get("content-type", "")},
        )
        # Frozen anew for each request: temporary credentials are refreshed on the way.
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request

    return sign


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
