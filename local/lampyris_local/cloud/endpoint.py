"""S3, SQS, DynamoDB and EventBridge in this process: a moto server."""

import logging
import threading
import urllib.request
from types import TracebackType
from typing import ClassVar, Self

from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from lampyris_local.cloud.conditional_writes import correct_conditional_writes
from lampyris_local.cloud.listening import HOST, listen
from lampyris_local.cloud.moto_queues import correct_queues


class MotoEndpoint:
    """A moto server, as a context manager. All in a process share one memory, which the last one clears."""

    _lock: ClassVar = threading.Lock()
    _running: ClassVar[int] = 0

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)

    def __enter__(self) -> Self:
        if self._port:
            # moto's server would wait for ever for a port that is taken; this raises OSError.
            listen(self._port).close()
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it would print each request
        correct_queues()
        correct_conditional_writes()
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        with MotoEndpoint._lock:
            MotoEndpoint._running += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with MotoEndpoint._lock:
            MotoEndpoint._running -= 1
            if MotoEndpoint._running == 0:
                reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 - http
                # Past any proxy in the environment.
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset).close()
        self._server.stop()
