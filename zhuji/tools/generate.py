"""Texts written by a model: the verb `generate`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zhuji.data.clean import Cleaner
from zhuji.model import generate as writing
from zhuji.model.generate import Generated, GenerateSettings
from zhuji.model.predictor import Predictor


@dataclass(frozen=True)
class Written:
    """One text a prompt, in order."""

    texts: tuple[Generated, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"texts": [asdict(text) for text in self.texts]}


def generate(predictor: Predictor, prompts: Sequence[str], settings: GenerateSettings | None = None) -> Written:
    """Each prompt, cleaned as the model's training texts were, and what the model goes on with. Raises what `model.generate` raises."""
    cleaner = Cleaner(predictor.clean)
    return Written(tuple(writing.generate(predictor.model, [cleaner(prompt)[0] for prompt in prompts], settings)))


def stream(predictor: Predictor, prompt: str, settings: GenerateSettings | None = None) -> Generator[str, None, Generated]:
    """The text that follows one prompt, piece by piece as it is written; the generator's own value is what `generate` would have said."""
    return (yield from writing.stream(predictor.model, Cleaner(predictor.clean)(prompt)[0], settings))
