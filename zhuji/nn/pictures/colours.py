"""Colours that are changed. Shapes: B rows, H and W the grid, C colours. `values (B, H, W, C)` on a scale from 0 to 1, as are the results; each
change by a number for each row, `(B,)`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GREY = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R BT.601)."""
_TO_YIQ = torch.tensor([GREY, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)], dtype=torch.float64)


def grey(values: Tensor) -> Tensor:
    """`(B, H, W, 1)`: how bright each pixel is."""
    return values if values.shape[-1] == 1 else (values @ values.new_tensor(GREY))[..., None]


def jittered(
    values: Tensor, *, brightness: Tensor, contrast: Tensor, saturation: Tensor | None = None, hue: Tensor | None = None
) -> Tensor:
    """Each channel times `brightness`; away from the picture's mean grey by `contrast`; away from each pixel's own grey by `saturation`; colours
    turned by `hue`, in turns of the circle, in the plane of YIQ that leaves the grey as it is. All of it is linear: one product a pixel."""
    rows, channels = len(values), values.shape[-1]
    mean = grey(values).mean((1, 2, 3))
    matrix = torch.eye(channels, dtype=torch.float64).expand(rows, channels, channels)
    if channels == 3:
        if hue is not None:
            matrix = _turned(hue) @ matrix
        if saturation is not None:
            share = saturation.double()[:, None, None]
            plain = torch.tensor(GREY, dtype=torch.float64).expand(3, 3)
            matrix = (share * torch.eye(3, dtype=torch.float64) + (1 - share) * plain) @ matrix
    factor = (contrast * brightness)[:, None, None]
    offset = ((1 - contrast) * brightness * mean)[:, None, None]
    changed = torch.baddbmm(offset.to(values), values.flatten(1, 2), (matrix.to(values) * factor).transpose(1, 2))
    return changed.reshape(values.shape).clamp_(0, 1)


def _turned(hue: Tensor) -> Tensor:
    """`(B, 3, 3)`."""
    angle = hue.double() * 2 * math.pi
    turn = torch.eye(3, dtype=torch.float64).repeat(len(hue), 1, 1)
    turn[:, 1, 1], turn[:, 1, 2] = angle.cos(), -angle.sin()
    turn[:, 2, 1], turn[:, 2, 2] = angle.sin(), angle.cos()
    return torch.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ


def stretched(values: Tensor) -> Tensor:
    """Each colour of each row from its darkest to its brightest pixel over the whole scale; one that is the same everywhere stays."""
    low, high = values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True)
    return torch.where(high > low, (values - low) / (high - low).clamp_min(1e-12), values)


def equalised(values: Tensor) -> Tensor:
    """Each colour of each row so that its 256 levels are about equally frequent: by the share of the pixels that are darker, of all but the
    brightest."""
    rows, height, width, channels = values.shape
    levels = (values * 255).round().long().permute(0, 3, 1, 2).reshape(rows * channels, -1)
    counts = torch.zeros(rows * channels, 256).scatter_add(1, levels, torch.ones_like(levels, dtype=torch.float32))
    darker = counts.cumsum(1) - counts
    others = height * width - counts.gather(1, levels.amax(1, keepdim=True))
    changed = torch.where(others > 0, darker.gather(1, levels) / others.clamp_min(1), levels / 255)
    return changed.reshape(rows, channels, height, width).permute(0, 2, 3, 1)


def solarised(values: Tensor, threshold: Tensor) -> Tensor:
    """What is brighter than `threshold` is turned into its negative."""
    return torch.where(values >= threshold[:, None, None, None], 1 - values, values)


def coarsened(values: Tensor, bits: Tensor) -> Tensor:
    """Only the highest `bits` of 8 are left."""
    step = (2.0 ** (8 - bits.float()))[:, None, None, None]
    return ((values * 255).round() / step).floor() * step / 255


def sharpened(values: Tensor, factor: Tensor) -> Tensor:
    """Away from a blurred copy by `factor`: 0 is the copy, 1 changes nothing. The edge stays as it is."""
    kernel = torch.ones(3, 3) / 13
    kernel[1, 1] = 5 / 13
    channels = values.shape[-1]
    planes = values.permute(0, 3, 1, 2)
    if min(planes.shape[-2:]) < 3:
        return values
    blurred = planes.clone()
    blurred[..., 1:-1, 1:-1] = torch.nn.functional.conv2d(planes, kernel.expand(channels, 1, 3, 3), groups=channels)
    share = factor[:, None, None, None]
    return (share * planes + (1 - share) * blurred).permute(0, 2, 3, 1).clamp(0, 1)
