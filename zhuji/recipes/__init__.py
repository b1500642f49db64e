"""Named runs as YAML: data, not code. The header of each says what it is, its source, cost, score and command."""

from zhuji.recipes.library import OBJECTIVES, Recipe, layer, names, read

__all__ = ["OBJECTIVES", "Recipe", "layer", "names", "read"]
