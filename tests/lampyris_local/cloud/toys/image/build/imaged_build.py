"""A package of the image's second source root."""

WHAT = "a model"
