"""A function that cannot be imported."""

import there_is_no_such_module  # type: ignore[import-not-found] # noqa: F401 - which is the point
