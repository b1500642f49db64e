"""What clients are told of a model, known without opening it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from zhuji.core.contracts import Reads
from zhuji.core.framing import Framing
from zhuji.core.voices import Speaks
from zhuji.model.chat import chats
from zhuji.model.explain import explains
from zhuji.model.generate import writes
from zhuji.model.golden import as_json
from zhuji.model.pooled import pooling_of
from zhuji.model.predictor import Predictor
from zhuji.tasks.vocode import Vocode
from zhuji.training.transfer import digest

Answers = Literal["class", "classes", "number", "tags", "text", "vector", "units", "boxes", "sound"]


@dataclass(frozen=True)
class Facts:
    """`answers`: what kind of answer `predict` gives; `labels`: by what its scores are told apart; `example`: an input of the golden
    rows; `width`: numbers in an embedding; `answer_width`: in an answer that is a vector, else 0; `parameters`: numbers that were learned; `voices`: who can be asked for of a
    model that speaks, the first where nobody is; `framing`: of the frames that a voice makes, or that a vocoder makes samples of."""

    task: str
    modality: str
    reads: Reads
    answers: Answers
    labels: tuple[str, ...]
    example: Any
    width: int
    answer_width: int
    parameters: int
    explains: bool
    generates: bool
    chats: bool
    draws: bool
    speaks: bool
    voices: tuple[str, ...]
    framing: Framing | None
    nearest: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "task": self.task, "modality": self.modality, "reads": self.reads, "answers": self.answers, "labels": list(self.labels),
            "example": self.example, "explains": self.explains, "generates": self.generates, "chats": self.chats, "draws": self.draws,
            "speaks": self.speaks, "voices": list(self.voices), "nearest": self.nearest,
        }  # fmt: skip


def facts_of(predictor: Predictor, index_hash: str | None = None) -> Facts:
    """`index_hash`: of the model that made the index which is served."""
    model = predictor.model
    example = predictor.golden[0]["input"] if predictor.golden else None
    if predictor.golden:
        answer = predictor.golden[0]["answer"]
    else:  # of what kind answers are shows any input that such a modality reads
        (answer,) = (one.answer for one in predictor.predict(model.modality.example()[1][:1]))
    kind = _kind(predictor, answer)
    voice = model.task if isinstance(model.task, Speaks) and predictor.runner is None else None
    return Facts(
        task=model.task.name(), modality=model.modality.name(), reads=model.modality.reads, answers=kind, labels=model.task.classes,
        example=as_json(example), width=pooling_of(model).width,
        answer_width=len(answer) if kind == "vector" else 0, parameters=sum(p.numel() for p in model.parameters()),
        explains=explains(predictor), generates=writes(model), chats=chats(model),
        draws=model.task.draws and predictor.runner is None,
        speaks=voice is not None, voices=voice.voices if voice else (), framing=_framing(predictor),
        nearest=predictor.runner is None and index_hash is not None and digest(model) == index_hash,
    )  # fmt: skip


def _framing(predictor: Predictor) -> Framing | None:
    task, frames = predictor.model.task, predictor.model.modality.spec.frames
    if predictor.runner is not None:
        return None
    if isinstance(task, Speaks):
        return task.framing
    return frames.framing if isinstance(task, Vocode) and frames is not None else None


def _kind(predictor: Predictor, answer: Any) -> Answers:
    """Told by the task's contract and by an answer that is known."""
    task = predictor.model.task
    if task.sounds:
        return "sound"
    if task.needs in ("tags", "boxes"):
        return task.needs
    if task.needs == "transcript":
        return "text"
    if isinstance(answer, str):
        # What learns without a target and writes fills in what is hidden.
        return ("units" if task.needs == "nothing" else "text") if task.writes else "class"
    if isinstance(answer, list | tuple):
        parts = cast(Sequence[Any], answer)
        if parts and all(isinstance(part, float) for part in parts):
            return "vector"
        return "classes" if task.classes else "units"
    return "number"
