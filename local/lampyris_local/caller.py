"""Who calls: what the registry writes down beside each change."""

import getpass
import os
import socket

from lampyris_local.deployment import AwsUnavailable, Deployment, aws_session


def caller_of(deployment: Deployment, *, profile: str | None, region: str | None) -> str:
    """Return the ARN that AWS knows the caller by; a name of this machine's where there is no AWS.

    Raises: AwsUnavailable.
    """
    if deployment.sign is None:
        return user_here()
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - for AWS alone

    try:
        return str(aws_session(profile, region).client("sts").get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError) as error:
        raise AwsUnavailable(reason=str(error)) from None


def user_here() -> str:
    """Name the user of this machine, and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an id without a name, as containers have
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
