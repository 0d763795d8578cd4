"""The environment variables that functions see."""

import os

from lampyris_local.cloud.resources import ACCESS_KEY, SECRET_KEY
from lampyris_local.cloud.stack import Function, Place


def shared_variables(place: Place) -> dict[str, str]:
    """The environment variables that all functions share. Nothing else of the user's own gets in."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_DEFAULT_REGION": place.region,
        "AWS_ENDPOINT_URL": place.endpoint_url,
        "AWS_REGION": place.region,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "LANG": "en_US.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "TZ": ":UTC",
    }


def function_variables(function: Function) -> dict[str, str]:
    """The environment variables that Lambda gives to a function, and the function's own."""
    runtime = {} if function.runtime is None else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}"}
    return {
        **function.environment,
        **runtime,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "LAMBDA_TASK_ROOT": str(function.code),
        "PYTHONPATH": os.pathsep.join(map(str, (function.code, *function.beside))),
    }
