"""How an alias shares its requests out over its routes."""

from collections.abc import Sequence

from lampyris.domain.manifest import Manifest, Route

_DOUBLE_BITS = 53  # what a float holds without rounding, so that no position becomes 1


def position(model: str, alias: str, key: str) -> float:
    """Return the place of a caller's key in [0, 1): the same for good, and like random over many keys.

    It does not depend on the routes. The stable one has the lower end and a canary grows downwards, so that
    those who were in it stay in it.
    """
    from blake3 import blake3  # noqa: PLC0415 - native: what imports this module must not wait for it

    # A key comes from a header, in which JSON can carry half a surrogate pair.
    digest = blake3(f"{model}\0{alias}\0{key}".encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) >> (64 - _DOUBLE_BITS)) / (1 << _DOUBLE_BITS)


def pick(routes: Sequence[Route], point: float) -> Manifest:
    """Return the manifest at a point of [0, 1), over which the routes lie in their order by weight."""
    left = point * sum(route.weight for route in routes)
    for route in routes:
        left -= route.weight
        if left < 0:
            return route.manifest
    return routes[-1].manifest
