"""A function whose INIT takes its time."""

import os
import time
from typing import Any

time.sleep(float(os.environ["INIT_S"]))


def handler(_event: Any, _context: Any) -> str:
    return "at last"
