"""How an alias shares its requests out over its routes."""

from collections.abc import Sequence

from lampyris.domain.manifest import Manifest, Route


def pick(routes: Sequence[Route], point: float) -> Manifest:
    """Return the manifest whose share of the whole weight holds `point`, which is in [0, 1)."""
    left = point * sum(route.weight for route in routes)
    for route in routes:
        left -= route.weight
        if left < 0:
            return route.manifest
    return routes[-1].manifest
