"""What one does with a model that makes pictures, from Python: draw with it, and measure how like real ones its pictures are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    from zhuji.tools.draw import Drawn


def draw(
    model: str | Path,
    out: str | Path,
    *,
    count: int = 64,
    label: str | Sequence[str] = (),
    seed: int = 0,
    sets: Sequence[str] = (),
    **options: Any,
) -> Drawn:
    """Write pictures that a model makes into the folder `out`, which must be new or empty. `label`: classes, which the pictures take in turn;
    all by default. `options` are the others of `DrawSettings` (`steps`, `guidance`); `sets` lays `draw.KEY=VALUE` on them.

    Raises NotEmpty, ImpossiblePair for a model that does not draw, UnknownName, BadSetting, and what opening raises."""
    from zhuji.model.draw import DrawSettings
    from zhuji.tools.draw import draw as work

    labels = (label,) if isinstance(label, str) else tuple(label)
    given = {"count": count, "labels": labels, "seed": seed, **{k: v for k, v in options.items() if v is not None}}
    return work(opened(model), DrawSettings.parse(overlay(given, assignments(sets).get("draw", {})), "draw"), Path(out))


def opened(model: str | Path) -> Any:
    """The model's predictor; raises what `load` raises."""
    from zhuji.formats import open_model
    from zhuji.training import threads

    threads.use(None)
    return open_model(model)
