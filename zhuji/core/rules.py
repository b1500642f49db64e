"""Rules that several settings keep to, said in one way. Each raises ValueError, which `Settings.parse` turns into an error that names the key."""

from __future__ import annotations

from collections.abc import Sequence

from zhuji.core.log import in_language


def divides(part: str, size: int, of: str, whole: int) -> None:
    """The setting called `part` divides the one called `of`."""
    if whole % size:
        raise ValueError(
            in_language(
                f"must have {part} ({size}) that divide its {of} ({whole})", f"{part}（{size}）必须整除 {of}（{whole}）"
            )
        )


def even_heads(width: int, heads: int) -> None:
    """Rotary positions turn the numbers of a head in pairs."""
    if (width // heads) % 2:
        raise ValueError(
            in_language("must have an even width per head for rotary positions", "使用旋转位置时每个头的宽度必须为偶数")
        )


def one_a_stage(blocks: Sequence[int], widths: Sequence[int]) -> None:
    """A backbone of stages says of each how many blocks it has and how wide it is."""
    if len(blocks) != len(widths):
        raise ValueError(
            in_language(
                "must have as many blocks as widths: one number for each stage", "blocks 与 widths 必须等长：每个阶段各一个数"
            )
        )
