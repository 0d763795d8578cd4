"""How an alias shares its requests out over its routes."""

from collections.abc import Callable, Sequence

from lampyris.domain.manifest import Manifest, Route


def pick(routes: Sequence[Route], random: Callable[[], float]) -> Manifest:
    """Return a manifest by the weights of the routes; `random` draws from [0, 1), where there is a choice."""
    if len(routes) == 1:
        return routes[0].manifest
    left = random() * sum(route.weight for route in routes)
    for route in routes:
        left -= route.weight
        if left < 0:
            return route.manifest
    return routes[-1].manifest
