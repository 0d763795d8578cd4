"""The addresses that the local cloud serves."""

import socket

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Listen on a port of this machine; 0 takes a free one. Raises: OSError if it is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise OSError(
            error.errno, f"port {port} is taken; name another, or 0 for any that is free"
        ) from error
