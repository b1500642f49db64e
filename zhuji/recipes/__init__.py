"""Named runs as YAML: data, not code. The header of each says what it is, its source, cost, score and command."""

from zhuji.recipes.library import Recipe, layer, names, read

__all__ = ["Recipe", "layer", "names", "read"]
