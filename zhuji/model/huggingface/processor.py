"""How their pictures become numbers: preprocessor_config.json, or timm's `pretrained_cfg`, as our image modality, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from zhuji.core.errors import UnreadableModel
from zhuji.core.log import in_language, say
from zhuji.modalities.image import Image
from zhuji.model.huggingface.family import unwritable
from zhuji.model.huggingface.options import Options

PROCESSOR = "preprocessor_config.json"
_BILINEAR = 2
"""Pillow's number."""
_WARPED = 384
"""From this side on ConvNextImageProcessor, which is ResNet's, stretches pictures instead of cropping them."""
_USUAL = 224
_MOST = 8192


def read(processor: Mapping[str, Any] | None, path: Path, told: Mapping[str, Any]) -> Image:
    """The modality for what a processor says, and `told` by config.json (patch, channels and, where it depends on it, size). Resizing that is
    not ours to the last pixel is told. Raises UnreadableModel."""
    if processor is None:
        say(in_language(
            f"{path}: not there, so pixels are taken to have mean 0.5 and deviation 0.5.", f"{path}：不存在，故按均值 0.5、标准差 0.5 处理像素。"
        ))  # fmt: skip
    options = Options(processor or {}, path)
    options.only("do_rescale", True, default=True)
    if not math.isclose(options.real("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-4):
        raise options.refuse("rescale_factor", "must be 1/255", "必须是 1/255", options.get("rescale_factor"))
    options.only("do_resize", True, default=True)
    size, resize = _size(options, told.get("size"))
    if options.get("resample", _BILINEAR) not in (_BILINEAR, None):
        _tell(path, "resample", in_language("bilinear", "双线性"))
    plain = options.get("do_normalize", True) is False
    mean = [0.0] * told["channels"] if plain else _colours(options, "image_mean", told["channels"])
    deviation = [1.0] * told["channels"] if plain else _colours(options, "image_std", told["channels"])
    return _image(options, {**told, "size": size, "resize": resize}, mean, deviation)


def read_timm(options: Options, told: Mapping[str, Any]) -> Image:
    """The same of timm's `pretrained_cfg`."""
    given = options.get("pretrained_cfg") or {}
    if not isinstance(given, dict):
        raise options.refuse("pretrained_cfg", "must be a group of settings", "必须是一组设置", given)
    own = Options(cast(dict[str, Any], given), options.path)
    shape = own.get("input_size", [told["channels"], *told.get("size", (_USUAL, _USUAL))])
    if not isinstance(shape, list) or len(shape) != 3 or not all(type(side) is int for side in shape):
        raise own.refuse("input_size", "must be colours, height and width", "须为颜色数、高和宽", shape)
    size = tuple(shape[1:])
    _agree(own, "input_size", size, told.get("size"))
    if own.get("crop_pct", 1.0) not in (1.0, None):
        _tell(options.path, "crop_pct", "1.0")
    if own.get("interpolation", "bilinear") not in ("bilinear", ""):
        _tell(options.path, "interpolation", in_language("bilinear", "双线性"))
    mean, deviation = (_colours(own, key, told["channels"]) for key in ("mean", "std"))
    return _image(own, {**told, "size": size, "resize": "crop"}, mean, deviation)


def _image(options: Options, settings: Mapping[str, Any], mean: list[float], deviation: list[float]) -> Image:
    try:
        return Image.model_validate(dict(settings)).normalising(mean, deviation)
    except ValueError as error:
        raise UnreadableModel(file=options.path, why=" ".join(str(error).split())[:200]) from None


def _size(options: Options, wanted: tuple[int, int] | None) -> tuple[tuple[int, int], str]:
    """Height and width, and how a picture is brought to them."""
    default = wanted or (_USUAL, _USUAL)
    given = options.get("size", {"height": default[0], "width": default[1]})
    given = {"height": given, "width": given} if type(given) is int else given
    crop = options.get("crop_size") if options.get("do_center_crop") is True else None
    crop = {"height": crop, "width": crop} if type(crop) is int else crop
    if not isinstance(given, dict) or not (crop is None or isinstance(crop, dict)):
        raise options.refuse("size", "must be height and width, or the shortest edge", "须为高和宽，或最短边", given)
    if options.get("crop_pct") not in (None, 1.0):
        _tell(options.path, "crop_pct", "1.0")
    edge = given.get("shortest_edge")
    box = given if crop is None else crop
    high, wide = box.get("height", edge), box.get("width", edge)
    if type(high) is not int or type(wide) is not int or not 0 < min(high, wide) <= max(high, wide) <= _MOST:
        raise options.refuse("size", f"must be 1 to {_MOST} pixels a side", f"须为每边 1 至 {_MOST} 像素", given)
    if crop is not None and edge not in (None, high):
        _tell(options.path, "size.shortest_edge", str(high))
    _agree(options, "size", (high, wide), wanted)
    stretched = crop is None and (edge is None or (type(edge) is int and edge >= _WARPED))
    return (high, wide), "fit" if stretched else "crop"


def _agree(options: Options, key: str, size: object, wanted: object) -> None:
    if wanted is not None and size != wanted:
        raise options.refuse(key, f"must be that of config.json, {wanted}", f"必须与 config.json 一致：{wanted}", size)


def _colours(options: Options, key: str, channels: int) -> list[float]:
    values = options.get(key, [0.5] * channels)
    if not isinstance(values, list) or len(values) != channels or not all(type(value) in (int, float) for value in values):
        raise options.refuse(key, f"must be {channels} numbers", f"须为 {channels} 个数", values)
    return [float(value) for value in values]


def _tell(path: Path, key: str, ours: str) -> None:
    say(in_language(f"{path}: '{key}' is taken as {ours} here.", f"{path}：此处将「{key}」视为 {ours}。"))


def written(image: Image) -> str:
    """preprocessor_config.json. Raises UnwritableModel for resizing that theirs cannot do."""
    height, width = image.size
    common = {
        "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": _BILINEAR,
        "image_mean": list(image.measured.mean), "image_std": list(image.measured.deviation),
    }  # fmt: skip
    if image.resize == "fit":
        own: dict[str, Any] = {"image_processor_type": "ViTImageProcessor", "size": {"height": height, "width": width}}
    elif image.resize == "crop" and height == width < _WARPED:
        own = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": height}, "crop_pct": 1.0}
    else:
        raise unwritable(
            f"modality.resize is {image.resize} to {height} x {width}, and theirs can fit, or crop to a square of less than {_WARPED} pixels",
            f"modality.resize 为 {image.resize}（{height} × {width}），而对方只能 fit，或 crop 到边长小于 {_WARPED} 像素的正方形",
        )
    return json.dumps({**own, **common}, indent=1)
