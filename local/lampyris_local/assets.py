"""Files that come with Lampyris beside its code: template.yaml and recipes/."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CLONE = _PACKAGE.parents[1]


def asset(name: str) -> Path:
    """Find a file that a wheel carries inside this package, and a clone at its root."""
    packaged = _PACKAGE / name
    return packaged if packaged.exists() else _CLONE / name
