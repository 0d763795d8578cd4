"""A bucket that costs next to nothing to read: files in a folder, served as S3 serves objects, by sendfile.

On AWS the store is another machine. Here it shares the cores with what is measured, so it must do little: a
cold start would otherwise be charged for the store's own work.
"""

import sys
from pathlib import Path

from aiohttp import web


def serve(folder: Path, port: int) -> None:
    """Answer GET, ranges and If-None-Match included, for every file below the folder."""
    application = web.Application()
    application.router.add_static("/", folder)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
