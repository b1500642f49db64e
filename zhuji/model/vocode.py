"""Frames of sound as samples, by a model that learned to be a vocoder.

Shapes: T frames, M mel bands, S samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zhuji.core.errors import ImpossiblePair, NoWeights
from zhuji.core.framing import Framing
from zhuji.core.log import in_language
from zhuji.core.units import Encoded
from zhuji.model.assembly import collate
from zhuji.model.predictor import Predictor, resting
from zhuji.nn.sounds.griffin_lim import griffin_lim
from zhuji.tasks.vocode import Vocode, Vocos


class TrainedVocoder:
    """A `model.speak.Vocoder`. Raises ImpossiblePair for a model that is none, or when it is asked for frames of another framing than those that it learned
    from, and NoWeights for an exported one."""

    def __init__(self, predictor: Predictor, refine: int = 0) -> None:
        """`refine`: steps of Griffin-Lim by which the phases that were said are brought to agree; 0: they stay."""
        model = predictor.model
        if not isinstance(model.task, Vocode):
            raise ImpossiblePair(
                first=model.task.called(),
                second=in_language("making samples of frames", "由声音帧生成采样"),
                rule=in_language("only a vocoder does that", "只有声码器才能做到"),
                advice=in_language(
                    "train one: zhuji train RECORDINGS --model vocoder", "请先训练：zhuji train 录音 --model vocoder"
                ),
            )
        if predictor.runner is not None:
            raise NoWeights(what=in_language("making samples of frames", "由声音帧生成采样"))
        frames = model.modality.spec.frames
        assert frames is not None, "a vocoder stands on frames"
        self.predictor, self.framing, self.refine = predictor, frames.framing, refine

    def fits(self, framing: Framing) -> None:
        """Raises ImpossiblePair, naming every setting that differs."""
        names = self.framing.differs(framing)
        if names:
            told = ", ".join(f"{name} {getattr(framing, name)} / {getattr(self.framing, name)}" for name in names)
            raise ImpossiblePair(
                first=in_language("frames of this voice", "该声音的帧"),
                second=in_language("this vocoder", "该声码器"),
                rule=in_language(
                    f"the vocoder must have learned from frames that are made alike ({told})",
                    f"声码器须由同样制作的帧学成（{told}）",
                ),
                advice=in_language(
                    "train a vocoder with these settings of its modality, those of the voice's task.frames",
                    "请用该声音 task.frames 的设置作为 modality 的设置训练声码器",
                ),
            )

    def __call__(self, frames: Tensor, framing: Framing) -> Tensor:
        """`frames (T, M)`, logarithms of powers -> `((T - 1) * step,)` float32 in [-1, 1]."""
        self.fits(framing)
        model, step = self.predictor.model, framing.step
        row = Encoded(values=frames.float().clamp_min(framing.floor).cpu().numpy())
        batch = collate(model, [row], None, len(frames)).to(self.predictor.device)
        with resting(model), torch.autocast(self.predictor.device.type, enabled=False):
            assert isinstance(model.head, Vocos)
            loud, phase = model.head.said(model.encoder, batch.units)
            if self.refine:
                size = (len(frames) - 1) * step
                sound = griffin_lim(loud.exp(), framing.span, step, size, steps=self.refine, phases=phase)
            else:
                sound = model.head.spectrum(loud, phase, batch.units.mask)
        return sound[0].float().cpu().clamp(-1, 1)
