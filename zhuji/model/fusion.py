"""A language model of one's own beside what is heard (shallow fusion: Gülçehre et al. 2015, section 4.1).

Shapes: N texts, T units so far, V letters with the blank.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.units import Units
from zhuji.model.assembly import Model
from zhuji.model.continuing import window_of
from zhuji.model.generate import writes
from zhuji.model.predictor import resting
from zhuji.nn.ctc import BLANK, Ids, Language
from zhuji.nn.heads import last_real
from zhuji.tasks.next_unit import NextHead

_UNWRITTEN = -12.0
"""Log-probability of a letter that the language model cannot write: it has never met it."""


def language_of(model: Model, letters: Sequence[str]) -> Language:
    """What the model says of texts that are written in `letters`, the first of them number 1.

    Raises ImpossiblePair for a model that does not predict the next unit of a text, and BadSetting for one whose units are not these letters.
    """
    if not writes(model):
        raise ImpossiblePair(
            first=in_language("the search", "搜索"),
            second=in_language(f"a model of task '{model.task.name()}'", f"任务为「{model.task.name()}」的模型"),
            rule=in_language(
                "only a model that predicts the next unit of a text can be asked", "只有预测文本下一个单元的模型才能参与"
            ),
            advice=in_language("pretrain one: zhuji pretrain --objective next", "请先预训练：zhuji pretrain --objective next"),
        )
    spec = model.modality.spec
    (empty,) = model.modality.encode([letters[0] if letters else ""])
    wrapped = empty.ids is not None and spec.start is not None and empty.ids[0] == spec.start
    places = [_place(model, letter) for letter in letters]
    if not wrapped or places.count(None) * 2 > len(places):
        rule = in_language(
            "must be a model that writes the letters of the transcripts one by one, after a start",
            "必须是从起始标记开始、逐个写出转写字母的模型",
        )
        raise BadSetting(key="decode.language", rule=rule)
    return _Asked(model, [0 if place is None else place for place in places], [place is not None for place in places])


def _place(model: Model, letter: str) -> int | None:
    """The id of a letter; None where it has none of its own."""
    (row,) = model.modality.encode([letter])
    reserved = set(model.modality.spec.reserved)
    ids = [] if row.ids is None else [int(id) for id in row.ids if int(id) not in reserved]
    return ids[0] if len(ids) == 1 and model.modality.decode(ids) == letter else None


class _Asked:
    def __init__(self, model: Model, places: Sequence[int], written: Sequence[bool]) -> None:
        spec = model.modality.spec
        assert spec.start is not None
        self.model, self.start, self.end = model, spec.start, spec.end
        self.places, self.written = np.array([0, *places]), np.array([False, *written])
        device = next(model.parameters()).device
        self.never = torch.tensor([id for id in spec.reserved if id != spec.end], dtype=torch.long, device=device)
        self.window = window_of(model)

    def __call__(self, texts: Sequence[Ids]) -> np.ndarray:
        """`(N, V)` float64."""
        rows = [[self.start, *self.places[list(ids)].tolist()][-(self.window or 1 << 30) :] for ids in texts]
        with resting(self.model):
            log_p = self._following(rows).double().cpu().numpy()
        told = np.where(self.written, log_p[:, self.places], _UNWRITTEN)
        told[:, BLANK] = 0.0 if self.end is None else log_p[:, self.end]
        return told

    def _following(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """`(N, ids of the model)`: log-probabilities of the unit that follows each row."""
        longest, device = max(map(len, rows)), self.never.device
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], dtype=torch.long, device=device)
        mask = torch.arange(longest, device=device) < torch.tensor([len(row) for row in rows], device=device)[:, None]
        features = self.model.encoder(Units(mask, ids), one=last_real)
        states = features.states[torch.arange(len(rows), device=device), last_real(features.mask)]
        assert isinstance(self.model.head, NextHead)
        logits = self.model.head.logits(states, self.model.encoder.table())
        return logits.float().index_fill(-1, self.never, -torch.inf).log_softmax(-1)
