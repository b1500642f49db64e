# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""The pictures and sounds that a run kept, as a page shows them: inside it, each with its class and the answer; those with objects twice, as they are
marked and as they were found; sounds with a player."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.files import read_json
from zhuji.core.log import in_language as say_in
from zhuji.tools.pages.found import Found, holds_numbers
from zhuji.tools.pages.page import score
from zhuji.tools.painting.answers import found_box, framed
from zhuji.tools.painting.canvas import as_bytes

MOST_BYTES = 1 << 20
"""Bytes of a thumbnail from which it is not read: none that a run wrote is nearly as large."""
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_SAID = ("recorded", "said")
_SOUNDS = {b"RIFF": "audio/wav", b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"ID3": "audio/mpeg", b"\xff": "audio/mpeg"}


@dataclass(frozen=True)
class Seen:
    """A picture with what stands below it; `data`: its address, the picture itself; "" where it could not be kept. `small`: it is shown enlarged, pixel
    by pixel."""

    data: str
    alt: str
    title: str
    text: str
    small: bool = False
    sound: str = ""
    """The address of a sound whose picture it is."""


@dataclass(frozen=True)
class Gallery:
    """Pictures with what is to be said of them all. `pairs`: every two belong together."""

    title: str
    note: str
    pictures: tuple[Seen, ...]
    pairs: bool = False
    drawn: bool = False
    """A model made them."""
    heard: bool = False
    """They are sounds."""
    threes: bool = False
    """Every three belong together."""


def gallery(found: Found) -> Gallery | None:
    """What the run kept; None where it kept nothing."""
    folder = found.folder / "gallery"
    if not (folder / "rows.json").is_file():
        return None
    rows: list[dict[str, Any]] = read_json(folder / "rows.json")
    if found.boxed:
        note = say_in(
            "From the test picture with most mistakes to the one with fewest, in even steps. Left: as it is marked; right: as it is answered, with scores. An object "
            "counts as found at an IoU of 0.5.",
            "按错误数从多到少等距选取的测试图片。左：标注；右：回答及得分。IoU 达到 0.5 视为找到。",
        )  # fmt: skip
        told = tuple(one for row in rows for one in _pair(folder, row, found.labels))
        return Gallery(say_in("Marked and found", "标注与结果"), note, told, pairs=True)
    if rows and rows[0].get("drawn"):
        note = say_in(f"Made by the model from chance with seed 0; more of them: zhuji draw {found.folder}",
                      f"由模型从随机数（种子 0）绘制；更多：zhuji draw {found.folder}")  # fmt: skip
        return Gallery(
            say_in("From chance, class by class", "由随机数绘制，按类别排列"),
            note,
            tuple(_drawn(folder, row) for row in rows),
            drawn=True,
        )
    if rows and rows[0].get("part") in _SAID:
        return Gallery(*_said_note(found), tuple(_said(folder, row) for row in rows), pairs=True, heard=True)
    if rows and rows[0].get("part") is not None:
        note = say_in(
            "From the test recording that gained least to the one that gained most, in even steps: as given, cleaned, and as it should be, with the SI-SDR in "
            "decibels. At most the first ten seconds can be played.",
            "按增益从小到大等距选取的测试录音：所给、处理后与应得的声音，附 SI-SDR（分贝）。至多可播放前十秒。",
        )  # fmt: skip
        told = tuple(_part(folder, row) for row in rows)
        return Gallery(say_in("Before and after", "去噪前后"), note, told, heard=True, threes=True)
    if rows and rows[0].get("edits") is not None:
        note = say_in(
            "From the test recording with most wrong characters for its length to the one with fewest, in even steps: what was said, and what was heard. At most "
            "the first ten seconds can be played.",
            "按错误字符比例从高到低等距选取的测试录音：所说与所听。至多可播放前十秒。",
        )  # fmt: skip
        told = tuple(_transcribed(folder, row) for row in rows)
        return Gallery(say_in("Said and heard", "所说与所听"), note, told, heard=True)
    numbers, heard = holds_numbers(found), bool(rows) and rows[0].get("sound") is not None
    wrong = sum(row["label"] != row["prediction"] for row in found.predictions)
    note = (
        say_in("The rows that are furthest off.", "误差最大的行。")
        if numbers
        else say_in(
            f"{wrong:,} of {len(found.predictions):,} test {'sounds' if heard else 'pictures'} are answered wrongly; here are those answered with most confidence: "
            "what they are → what was answered, and how surely. Often the label is the mistake.",
            f"{len(found.predictions):,} {'段测试声音' if heard else '张测试图片'}中有 {wrong:,} {'段' if heard else '张'}答错；以下为置信度最高者：实际 → 回答，及其置信度。"
            "有时错的是标签。",
        )
    )  # fmt: skip
    return Gallery(say_in("Worst mistakes", "最严重的错误"), note, tuple(_mistake(folder, row) for row in rows), heard=heard)


def _drawn(folder: Path, row: dict[str, Any]) -> Seen:
    data, label = _bytes(folder, row["file"]), "" if row["label"] is None else str(row["label"])
    alt = say_in("{}: drawn as {}", "{}：绘制的 {}") if label else say_in("{}: drawn", "{}：绘制的图片")
    return Seen(_address(data), alt.format(row["id"], label), row["id"], label, data.startswith(b"\x89PNG"))


def _mistake(folder: Path, row: dict[str, Any]) -> Seen:
    label, answer = _text(row["label"]), _text(row["answer"])
    alt = say_in("{}: it is {}, the answer is {}", "{}：实际为 {}，回答为 {}").format(row["id"], label, answer)
    data = _bytes(folder, row["file"])
    sound = _address(_bytes(folder, row.get("sound")), _SOUNDS)
    text = f"{label} → {answer} {score(row['score'])}"
    return Seen(_address(data), alt, row["id"], text, data.startswith(b"\x89PNG"), sound)


def _part(folder: Path, row: dict[str, Any]) -> Seen:
    names = {
        "given": say_in("as given", "所给"),
        "sound": say_in("cleaned", "处理后"),
        "wanted": say_in("as it should be", "应得的声音"),
    }
    name = names.get(str(row["part"]), "")
    text = name if row["score"] is None else f"{name}, {row['score']:.1f} dB"
    sound = _address(_bytes(folder, row.get("sound")), _SOUNDS)
    return Seen(_address(_bytes(folder, row["file"])), f"{row['id']}: {text}", row["id"], text, sound=sound)


def _said_note(found: Found) -> tuple[str, str]:
    note = say_in(
        "Test sentences of at most ten seconds, from the one whose length is furthest off to the one that is nearest, in even steps: the "
        f"recording, and what the model makes of its text. More of them: zhuji speak {found.folder} TEXT.",
        "不超过十秒的测试句子，按时长误差从大到小等距选取：录音，以及模型据其文本的朗读。"
        f"更多：zhuji speak {found.folder} 文本。",
    )  # fmt: skip
    return say_in("Recorded and said", "录音与朗读"), note


def _said(folder: Path, row: dict[str, Any]) -> Seen:
    name = {"recorded": say_in("recorded", "录音"), "said": say_in("said", "朗读")}[str(row["part"])]
    text = name if row["score"] is None else say_in("{}, {:.1f} s", "{}，{:.1f} 秒").format(name, row["score"])
    sound = _address(_bytes(folder, row.get("sound")), _SOUNDS)
    said = _text(row["label"])
    return Seen(
        _address(_bytes(folder, row["file"])), f"{row['id']}, {text}: {said}", f"{row['id']}: {said}", text, sound=sound
    )


def _transcribed(folder: Path, row: dict[str, Any]) -> Seen:
    said, heard = _text(row["label"]), _text(row["answer"]) or say_in("(nothing)", "（无）")
    alt = say_in("{}: “{}” was said, “{}” was heard", "{}：所说为“{}”，所听为“{}”").format(row["id"], said, heard)
    edits = say_in("{} characters wrong", "{} 个字符有误").format(row["edits"])
    sound = _address(_bytes(folder, row.get("sound")), _SOUNDS)
    return Seen(_address(_bytes(folder, row["file"])), alt, f"{row['id']}, {edits}", f"{said} → {heard}", sound=sound)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or say_in("none", "无")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _pair(folder: Path, row: dict[str, Any], classes: Sequence[str]) -> tuple[Seen, ...]:
    """As it is marked, and as it was answered."""
    hit, missed, more = row["counts"]
    said = say_in("{} found, {} missed, {} too many", "找到 {}，漏掉 {}，多出 {}").format(hit, missed, more)
    marked, answered = say_in("marked", "标注"), say_in("found", "结果")
    pictures = [_framed(folder, row, row[key], classes) for key in ("label", "answer")]
    alts = [f"{row['id']}, {way}: {_census(row[key])}" for way, key in ((marked, "label"), (answered, "answer"))]
    return (Seen(pictures[0], alts[0], row["id"], marked), Seen(pictures[1], alts[1], row["id"], said))


def _census(boxes: Sequence[dict[str, Any]]) -> str:
    names = [one["label"] for one in boxes]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or say_in("nothing", "无")


def _framed(folder: Path, row: dict[str, Any], boxes: Sequence[dict[str, Any]], classes: Sequence[str]) -> str:
    """The thumbnail with boxes on it, which are told in pixels of the whole picture."""
    data = _bytes(folder, row["file"])
    if not data:
        return ""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
        wide, high = (mine / whole for mine, whole in zip(image.size, row["size"], strict=True))
        known = [one for one in boxes if one["label"] in classes]
        shares = (wide, high, wide, high)
        placed = [{**one, "box": [side * share for side, share in zip(one["box"], shares, strict=True)]} for one in known]
        return _address(as_bytes(framed(image, [found_box(one, classes) for one in placed]), "JPEG", 80))


def _bytes(folder: Path, name: str | None) -> bytes:
    """Of a thumbnail that the run wrote; empty where there is none."""
    path = folder / Path(name or "-").name
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return b""
    return path.read_bytes()


def _address(data: bytes, kinds: Mapping[bytes, str] = _KINDS) -> str:
    """A picture or a sound as an address that holds it. Only the kinds that a run writes: nothing in them is executed."""
    kind = next((kind for beginning, kind in kinds.items() if data.startswith(beginning)), None)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""
