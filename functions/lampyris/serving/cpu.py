"""Which kind of CPU this is, as far as onnxruntime's choice of kernels goes, and with which onnxruntime."""

import os
import sys

import msgspec
from blake3 import blake3

_PROCESSORS = "/proc/cpuinfo"
# What says which instructions there are; the rest (frequency, microcode, number) varies between equal ones.
_X86 = ("vendor_id", "cpu family", "model")
_ARM = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part")
_INSTRUCTIONS = ("flags", "Features")


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of CPU: `key` stands for it in the bucket, `name` is for people."""

    key: str
    name: str
    onnxruntime: str


def this_cpu() -> Cpu | None:
    """Return the kind of CPU that this process runs on; None where the system does not tell (macOS)."""
    try:
        with open(_PROCESSORS, encoding="utf-8", errors="replace") as file:
            first = file.read().partition("\n\n")[0]
    except OSError:
        return None
    version = _onnxruntime_version()
    return None if version is None else cpu_of(first, machine=os.uname().machine, onnxruntime=version)


def cpu_of(processor: str, *, machine: str, onnxruntime: str) -> Cpu | None:
    """Read what Linux says about one processor; None if it does not say what the processor can do."""
    told = {}
    for line in processor.splitlines():
        name, _, value = line.partition(":")
        told[name.strip()] = value.strip()
    instructions = next((told[name] for name in _INSTRUCTIONS if told.get(name)), None)
    if instructions is None:
        return None
    model = [f"{name} {told[name]}" for name in (*_X86, *_ARM) if name in told]
    facts = "\n".join([onnxruntime, machine, *model, *sorted(set(instructions.split()))])
    return Cpu(
        key=blake3(facts.encode()).hexdigest()[:32],
        name=f"{machine}, {told.get('model name') or ', '.join(model)}",
        onnxruntime=onnxruntime,
    )


def _onnxruntime_version() -> str | None:
    """Return onnxruntime's version without importing it: a load fetches while others wait for that."""
    for folder in sys.path:
        try:
            with open(f"{folder}/onnxruntime/__init__.py", encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        return next((line.split('"')[1] for line in lines if line.startswith('__version__ = "')), None)
    return None
