"""How like real pictures drawn ones are: the numbers as a person reads them, and a page that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from zhuji.core.log import in_language
from zhuji.tools.pages.page import render, score

Facts = Mapping[str, Any]


def measures(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Name, value of drawn pictures, value of real ones in their place, and what it says; of `Realism.as_dict`."""
    told = {
        "frechet": (
            "Frechet distance",
            "Frechet 距离",
            "to all training pictures; lower is better",
            "与全部训练图片的距离；越低越好",
        ),
        "precision": ("precision", "精确率", "share that lies among real pictures", "落在真实图片之中的比例"),
        "recall": ("recall", "召回率", "share of real pictures that lie among these", "真实图片落在其中的比例"),
        "density": ("density", "密度", "how crowded the real places are, about 1", "所处真实区域的密集程度，约为 1"),
        "coverage": ("coverage", "覆盖率", "share of real pictures that have one near", "附近有图片的真实图片所占比例"),
        "recognised": ("recognised", "被认出", "share with the class that was asked for", "被认作所要求类别的比例"),
    }
    rows = [
        (
            in_language(told[name][0], told[name][1]),
            _interval(pair["drawn"]),
            _interval(pair["real"]),
            in_language(*told[name][2:]),
        )
        for name, pair in facts["scores"].items()
    ]
    known = len(facts["by_class"])
    counts = (sum(row[key] > 0 for row in facts["by_class"]) for key in ("seen", "seen_in_real"))
    seen, of_real = (in_language(f"{count} of {known}", f"{known} 类中 {count} 类") for count in counts)
    return [*rows, (in_language("classes seen", "出现的类别"), seen, of_real, in_language("by the classifier", "由分类器判断"))]


def _interval(of: Mapping[str, float | None] | None) -> str:
    if of is None:
        return "–"
    ends = f" [{score(of['low'])}, {score(of['high'])}]" if of["low"] is not None else ""
    return score(of["value"]) + ends


def nearness(facts: Facts) -> list[tuple[str, str, str, str, str]]:
    """By what is compared: how often a drawn picture lies nearer to a training picture than a real one does, the share of suspects, equal ones,
    and both medians."""
    names = {"pixels": in_language("pixels", "像素"), "features": in_language("features", "特征")}
    return [
        (names[kind], f"{of['nearer']:.3f}", f"{of['suspects']:.1%}", f"{of['equal']:,} / {of['equal_of_real']:,}" if "equal" in of else "–",
         f"{of['median']:.3g} / {of['median_of_real']:.3g}")
        for kind, of in facts["copies"].items()
    ]  # fmt: skip


def caution(facts: Facts) -> str:
    """Whose features these are, and what the numbers must not be compared with."""
    return in_language(
        f"Features of your own classifier {facts['by']}, not of Inception: not comparable with published FID, only with models measured by it.",
        f"特征来自你自己的分类器 {facts['by']}，而非 Inception：不可与公开的 FID 比较，只能与由它衡量的模型比较。",
    )


def realism_page(facts: Facts, sheet: bytes) -> str:
    """The HTML of a measurement; `sheet`: the PNG of drawn pictures with their nearest training pictures."""
    data = base64.b64encode(sheet).decode()
    picture = Markup('<img class="sheet" src="data:image/png;base64,{}" alt="{}">').format(
        data, in_language("drawn pictures, each above its nearest training pictures", "所绘图片，下方为各自最近的训练图片")
    )
    return render(
        "realism.html", title=in_language("How real are the pictures?", "图片有多真实？"), facts=facts, sheet=picture,
        measures=measures(facts), nearness=nearness(facts), caution=caution(facts),
    )  # fmt: skip
