"""The memory that models share: how much is left, and a limit that fails an allocation, not the environment.

Without the limit the kernel ends the environment that takes more memory than the function has, and whoever
calls next waits for a cold start. With it onnxruntime raises an error, and the next request is served.
"""

from typing import Any

# Stacks of threads to come are counted whole, and hardly touched: 8 MB each would be the default.
_STACK_BYTES = 2**20
# glibc's numbers (malloc.h). Fixing the threshold keeps glibc from raising it, after which what dropped
# sessions held stays with the process: of 20 models (197 MB) in turn in 256 MB, the data stayed below 200 MB;
# with a threshold of its own it grew up to the limit, where the store's client aborts.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MAPPED_FROM_BYTES = 2**20
_ARENAS = 2


def limit_memory(memory_mb: int) -> None:
    """Let this process hold `memory_mb`; what goes beyond fails with MemoryError, or onnxruntime's likes.

    What is free now may be taken on top of what is held now. Call it once the imports are done: they reserve
    much that they never touch. Does nothing where there is no Linux to keep a limit.
    """
    import resource  # noqa: PLC0415 - two shared libraries, of no use before the imports of INIT
    import threading  # noqa: PLC0415 - as above

    held = _held()
    libc = _libc()
    if held is None or libc is None:
        return
    libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
    libc.mallopt(_M_ARENA_MAX, _ARENAS)
    threading.stack_size(_STACK_BYTES)
    resident, data = held
    limit_bytes = data + (memory_mb * 2**20 - resident)
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard_bytes))


def free_bytes(memory_mb: int) -> int:
    """Return how much of `memory_mb` this process could still take, and of the limit that it has."""
    import resource  # noqa: PLC0415 - as above

    held = _held()
    if held is None:  # macOS: the peak is all it tells, in bytes
        return memory_mb * 2**20 - resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resident, data = held
    left_bytes = memory_mb * 2**20 - resident
    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit_bytes == resource.RLIM_INFINITY:
        return left_bytes
    return min(left_bytes, limit_bytes - data)


def return_freed() -> None:
    """Hand what malloc keeps of freed memory back to the system."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _held() -> tuple[int, int] | None:
    """Return what this process holds, in bytes: resident, and the private data that the limit counts."""
    import resource  # noqa: PLC0415 - as above

    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            fields = statm.read().split()
    except OSError:
        return None
    page_bytes = resource.getpagesize()
    return int(fields[1]) * page_bytes, int(fields[5]) * page_bytes


def _libc() -> Any:
    """Return glibc; None where it is another library (macOS, musl), which knows no `mallopt`."""
    import ctypes  # noqa: PLC0415 - numpy has imported it by the time that this is called

    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") else None
