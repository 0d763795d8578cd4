"""What a build reads: a TOML file that names the data, the model, and what must hold of the result.

One file for each part of it. Importing this package imports no torch, so that a mistake in a recipe is told
at once.
"""

from lampyris_build.recipe.reading import load_recipe, read_recipe
from lampyris_build.recipe.recipe import Recipe

__all__ = ["Recipe", "load_recipe", "read_recipe"]
