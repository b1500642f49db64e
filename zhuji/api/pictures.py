"""Pictures that a model makes or reads, from Python: draw, measure how like real ones they are, paint one picture like another, measure what
a model makes of worse ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.api._columns import columns_of
from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    from zhuji.tools.draw import Drawn
    from zhuji.tools.realism import Realism
    from zhuji.tools.robustness import Robustness
    from zhuji.tools.stylise import Stylised


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


def realism(
    model: str | Path,
    by: str | Path,
    *,
    count: int = 1000,
    seed: int = 0,
    out: str | Path | None = None,
    sets: Sequence[str] = (),
    **options: Any,
) -> Realism:
    """How like the real pictures of its run those of a model are, by the features of the classifier `by`, and whether they are copies; written
    as JSON, a page and a sheet to `out` (RUN/realism by default), where an earlier measurement gives way. `options` and `sets` as in `draw`.

    Raises ImpossiblePair, BadSetting, TooFewRows, NotABundle for a model without its run, and what opening and reading raise."""
    from zhuji.model.draw import DrawSettings
    from zhuji.tools.realism import realism as work
    from zhuji.tools.realism import write_realism

    given = {"count": count, "seed": seed, **{k: v for k, v in options.items() if v is not None}}
    settings = DrawSettings.parse(overlay(given, assignments(sets).get("draw", {})), "draw")
    found = work(Path(model), Path(by), settings, maker=opened(model), judge=opened(by))
    write_realism(found, Path(model) / "realism" if out is None else Path(out))
    return found


def stylise(
    model: str | Path,
    content: str | Path,
    style: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    sets: Sequence[str] = (),
    **options: Any,
) -> Stylised:
    """Write the picture `content`, painted like the picture `style`, to `out` (.png, .jpg or .webp), by what the stages of a trained
    convolutional network see. `options` are those of `StyliseSettings` (`size`, `steps`, `style_weight`, …); `sets` lays `stylise.KEY=VALUE`
    on them.

    Raises ImpossiblePair for a network that keeps no plane, BadSetting, PictureError, and what opening raises."""
    from zhuji.tools.stylise import StyliseSettings
    from zhuji.tools.stylise import stylise as work

    given = {"seed": seed, **{k: v for k, v in options.items() if v is not None}}
    settings = StyliseSettings.parse(overlay(given, assignments(sets).get("stylise", {})), "stylise")
    return work(opened(model), Path(content), Path(style), Path(out), settings)


def opened(model: str | Path) -> Any:
    """The model's predictor; raises what `load` raises."""
    from zhuji.formats import open_model
    from zhuji.training import threads

    threads.use(None)
    return open_model(model)


def robustness(
    model: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Robustness:
    """How much of a model's score is left when its pictures get worse, on `data` or on a run's own test split; written to `out` (RUN/robustness of a run by
    default). `sets` lays `robustness.rows=…` on how many test pictures are looked at; `seed` draws these, the noise and the bootstrap.

    Raises BadSetting for a model that reads no pictures, TooFewRows, and what opening and reading raise."""
    from zhuji.tools.robustness import robustness as work

    return work(model, data, out=None if out is None else Path(out), seed=seed, sets=sets, columns=columns_of(columns))
