import getpass
import socket

from lampyris.adapters.object_store import memory_store
from lampyris_local.caller import caller_of
from lampyris_local.deployment import Deployment


def test_caller_of_a_folder_is_the_user_of_this_machine() -> None:
    deployment = Deployment(store=memory_store(), api_url=None, open_bucket=lambda _: memory_store())

    caller = caller_of(deployment, profile=None, region=None)

    assert caller == f"{getpass.getuser()}@{socket.gethostname()}"
