"""The limits of memory and time that the kernel holds a process to."""

import resource
import signal

# How a process ends that was refused memory.
OUT_OF_MEMORY = 3


def keep_to(*, memory_bytes: int, time_s: int) -> None:
    """Hold this process to its limits."""
    signal.alarm(time_s)  # with no handler it ends the process, whatever native code is doing
    # Data, not address space: a mapped file takes none of the memory that can run out.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
