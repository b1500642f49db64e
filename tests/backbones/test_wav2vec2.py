"""wav2vec 2.0's body. Its states are compared with transformers' in tests/parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.wav2vec2 import Wav2vec2
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Sound
from zhuji.core.units import Features
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.tasks.classify import Classify
from zhuji.tasks.masked_frames import MaskedFrames
from zhuji.tasks.transcribe import Transcribe

SMALL: dict[str, Any] = {
    "conv_channels": [4, 6], "conv_windows": [10, 4], "conv_strides": [5, 2], "position_window": 4, "position_groups": 2,
    "width": 8, "layers": 2, "heads": 2, "hidden": 12, "dropout": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"norm_place": "pre"}, {"conv_norm": "layer", "conv_bias": True, "key_bias": True}])
@pytest.mark.parametrize("task", [Classify, Transcribe])
def test_promises_over_raw_samples(changes: dict[str, Any], task: Any) -> None:
    random = np.random.default_rng(0)
    inputs = [Sound(data=as_wav(0.3 * random.standard_normal(size), 8_000)) for size in (60, 41, 52, 35)]
    cell = Cell.of((Speech(rate=8_000, features="raw"), inputs), Wav2vec2.parse({**SMALL, **changes}), task.example())
    silent = (properties.gradient_reaches_everything,) if changes.get("key_bias") else ()
    for promise in properties.EVERY:
        if promise not in silent:
            promise(cell)


def test_a_row_has_as_many_frames_as_whole_windows() -> None:
    body = Wav2vec2.parse(SMALL).body(False).eval()
    mask = torch.arange(60) < torch.tensor([60, 25, 34, 35, 3])[:, None]
    out = body(Features(torch.randn(5, 60, 1), mask))
    assert out.mask.sum(1).tolist() == [4, 1, 1, 2, 1] and out.states.shape == (5, 4, 8)
    assert not out.states[~out.mask].any()


@pytest.mark.parametrize("place", ["pre", "post"])
def test_stages_hold_every_parameter_once(place: str) -> None:
    backbone = Wav2vec2.parse({**SMALL, "norm_place": place})
    body = backbone.body(False)
    held = [id(p) for stage in backbone.stages(body) for p in stage.parameters()]
    assert sorted(held) == sorted(id(p) for p in body.parameters()) and len(backbone.stages(body)) == 4


@pytest.mark.parametrize(
    "changes", [{"heads": 3}, {"position_groups": 3}, {"conv_strides": [5]}, {"conv_windows": [0, 4]}, {"conv_channels": []}]
)
def test_bad_settings(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        Wav2vec2.parse({**SMALL, **changes})


def test_what_asks_for_a_state_of_each_unit_or_piece_is_refused() -> None:
    speech = Speech.example()[0]
    for task in (MaskedFrames.example().task, doubles.Tag.example().task):
        with pytest.raises(ImpossiblePair):
            assemble(speech, Wav2vec2.parse(SMALL), task)
