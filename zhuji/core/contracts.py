"""The three shelves and what a part on each must be able to do.

A part is a frozen object that is its own configuration (see `core/config.py`) and builds its piece of the network:
`Modality.stem`, `Backbone.body`, `Task.head`. A task knows neither a modality nor a backbone; they meet in `zhuji.model` only. Shapes as in `core/units.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from torch import Generator, Tensor, nn

from zhuji.core.answers import About, Prediction, Shown
from zhuji.core.config import Part
from zhuji.core.errors import CannotExplain
from zhuji.core.records import Record
from zhuji.core.units import Batch, Encoded, Features, Ratio, Units, UnitSpec, Wanted

Columns = Mapping[str, np.ndarray]
"""Per-row evidence for metrics: every array's first axis is the row."""

Corrupt = Callable[[Features], Features]

One = Callable[[Tensor], Tensor]
"""Of a mask `(B, T)` the number of one unit of each row, `(B,)` int64."""

Needs = Literal["label", "target", "tags", "boxes", "transcript", "recording", "lesson", "nothing"]
Reads = Literal["texts", "pictures", "sounds"]
Teaches = Literal["rows", "vectors", "units"]
ONLY = "model"
"""The player of a task that names none."""


class Metric(Protocol):
    """A number computed from the evidence of all rows at once; `columns` names the evidence it reads."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def higher_is_better(self) -> bool: ...

    def __call__(self, evidence: Columns) -> float: ...


class Encoder(Protocol):
    """Stem and backbone. `corrupt` is the one hook between them: masking, views and noise for every modality at once. `one`: of each row only
    this state will be read; a backbone that can gives features of that unit alone, and spares itself the others."""

    def __call__(self, units: Units, corrupt: Corrupt | None = None, one: One | None = None) -> Features: ...

    def stem(self, units: Units) -> Features:
        """The states that `corrupt` would see, `(B, *grid, stem_width)`."""
        ...

    def table(self) -> Tensor | None:
        """The stem's vectors `(num_ids, stem_width)`, for heads that share them; None where units have no ids."""
        ...

    def teacher(self, units: Units) -> Features:
        """What the slowly following copy of this encoder makes of `units`, without gradients; only where `Task.momentum` is not 0."""
        ...


def unexplained(part: Part) -> CannotExplain:
    """That answers of this part cannot be explained."""
    return CannotExplain(kind=part.sort(), name=part.name())


class Modality(Part, ABC):
    """Raw input <-> `Units`. What it must learn from the training split (a vocabulary) it learns in `fit`."""

    shelf: ClassVar[str] = "modality"
    reads: ClassVar[Reads] = "texts"
    """What its inputs are: texts (or words), or undecoded pictures (`Picture`) or sounds (`Sound`)."""
    cut_by: ClassVar[str] = "too long"
    """Under which name the ledger counts rows of which something was cut off."""

    @property
    @abstractmethod
    def spec(self) -> UnitSpec: ...

    @property
    def unit_seconds(self) -> float:
        """How much of a row's time falls to one unit; 0 where units are no pieces of time."""
        return 0.0

    @property
    def light(self) -> bool:
        """Whether one of its units says little, as a pixel does: a batch may hold far more of them than of words."""
        return False

    @property
    def fitted(self) -> bool:
        """Whether it has learned what `fit` teaches; so has one that has nothing to learn."""
        return True

    @property
    def grid(self) -> tuple[int, ...] | None:
        """The grid that every row has; None: rows differ."""
        return None

    @property
    def varies(self) -> bool:
        """Whether `varied` changes anything."""
        return False

    @abstractmethod
    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """A copy that has learned from these inputs; one that has nothing to learn hands itself back."""

    @abstractmethod
    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """Raw inputs to units, one each, in order; deterministic; never longer than the modality's limit."""

    def decode(self, ids: Iterable[int]) -> Any:
        """What these ids stand for, as a person reads it; where there is nothing better, the ids."""
        return tuple(ids)

    def shown(self, raw: Any) -> Shown:
        """Where in one input each of its units stands, in the order of `encode`. Raises CannotExplain where a modality cannot tell."""
        raise unexplained(self)

    def pictured(self, values: Tensor) -> list[np.ndarray]:
        """Normalised `values (B, *grid, C)` as pictures, `(H, W, 3)` or `(H, W, 1)` uint8: the inverse of `encode` and `collate`, where it reads pictures."""
        raise AssertionError(f"{self.name()} reads no pictures")

    def covers(self, encoded: Encoded) -> tuple[float, float, float, float]:
        """Where in a picture the grid of one row lies: left, top, right and bottom in pixels of the upright picture. It reaches beyond the picture
        where a margin was put around it. Raises CannotExplain of a modality whose inputs are no pictures."""
        raise unexplained(self)

    def spelling(self) -> Sequence[str]:
        """How each id is written, "" where it is not; empty of a modality that does not write."""
        return ()

    @abstractmethod
    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        """Rows padded to `grid` (B, *grid)."""

    def placed(self, record: Record, encoded: Encoded) -> Record:
        """A copy of the record whose boxes are fractions of the grid's width and height, in [0, 1]: what lies outside of what was kept of the
        picture is dropped, what lies partly outside is cut; of a sound that was cut, the sound is what was kept. Another record is handed back."""
        return record

    def unplaced(self, prediction: Prediction, encoded: Encoded, stride: int = 1) -> Prediction:
        """The inverse for an answer: places as those of the input as it came; times, which are shares of the states, in seconds. `stride`: the backbone's."""
        seconds, length = self.unit_seconds, encoded.length
        if not seconds or not prediction.times:
            return prediction
        # The last state may stand for fewer units than the others, and the row may end right behind the beginning of its last unit.
        whole, end = -(-length // stride) * stride if stride else length, seconds * (length - 1)
        return replace(prediction, times=tuple(one.scaled(seconds * whole).within(end) for one in prediction.times))

    def varied(self, batch: Batch, chance: Generator) -> Batch:
        """A batch of training rows, changed by chance in ways that leave its targets true (augmentation); everything is drawn from `chance`."""
        return batch

    @abstractmethod
    def stem(self, dim: int) -> nn.Module:
        """A module from `Units` to `Features` with states (B, *grid, dim); padding is zero."""

    def files(self) -> Mapping[str, bytes]:
        """What `fit` learned, by file name, to travel in a bundle."""
        return {}

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """A copy that knows what `files` says: the inverse of `files`."""
        return self

    @classmethod
    @abstractmethod
    def example(cls) -> tuple[Self, list[Any]]:
        """A small fitted modality and a handful of inputs of unequal length: feeds the contract tests."""


class Backbone(Part, ABC):
    """`Features` -> `Features`: the states' width changes from `width` to `out`."""

    shelf: ClassVar[str] = "backbone"
    can_be_causal: ClassVar[bool] = True
    packs: ClassVar[bool] = False
    """It keeps the documents of a packed row apart (`Features.segments`)."""
    unpads: ClassVar[bool] = False
    """While nothing is learned it leaves padding out where that is dear, so that rows of unequal length may share a batch."""
    narrows: ClassVar[bool] = False
    """Its body takes `one`, and gives the state of one unit of each row for less than those of all."""
    grids: ClassVar[tuple[int, ...]] = (1, 2)
    """How many grid axes it can work on."""
    takes: ClassVar[bool] = False
    """It reads what a task tells it of the row as a whole (`Features.given`)."""

    @property
    @abstractmethod
    def stem_width(self) -> int:
        """D of the states it reads."""

    @property
    def out_width(self) -> int:
        """D of the states it gives: of those it reads, unless it says otherwise."""
        return self.stem_width

    @property
    def stride(self) -> int:
        """Of so many units of a row it keeps the first; 0: how many it keeps depends on the row; of a grid of two axes only `strides` tells."""
        return 1

    @property
    def strides(self) -> bool:
        """Whether it makes the grid coarser."""
        return self.stride != 1

    @property
    def drops(self) -> bool:
        """Whether two passes over the same row differ while training."""
        return False

    @property
    def summarises(self) -> bool:
        """Whether it keeps a state for the row as a whole (`Features.summary`)."""
        return False

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The pieces of a body from input to output, for layer-wise rates and gradual unfreezing; what is in none counts with the first."""
        return [body]

    @abstractmethod
    def body(self, causal: bool) -> nn.Module:
        """A module from `Features` to `Features`. With `causal`, position i of the flattened grid sees positions <= i only.
        States at padding are zero or ignored by everyone: padding never changes a real state."""

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A tiny one: feeds the contract tests."""


@dataclass(frozen=True)
class Example:
    """Feeds the contract tests: a task and records for it (their `input` is replaced by each modality's own)."""

    task: Task
    records: Sequence[Record]


class Task(Part, ABC):
    """Head, loss, evidence and decoding. Pretraining is a task without human labels."""

    shelf: ClassVar[str] = "task"
    causal: ClassVar[bool] = False
    """The backbone must not look ahead."""
    per_unit: ClassVar[bool] = False
    """The backbone must keep the grid."""
    needs: ClassVar[Needs] = "label"
    """What a record must bring to be learned from. target: a second input; transcript, recording: a text or a sound that is the task's own affair."""
    compares: ClassVar[bool] = False
    """Its loss compares the rows of a batch with each other, so it changes when they are cut into batches otherwise."""
    seeks: ClassVar[tuple[str, ...]] = ()
    """Settings that say how answers are sought, not what is learned: of a finished model they may be others (`tools/_seeking.py`)."""
    teaches: ClassVar[Teaches] = "rows"
    """What it has to teach a model of the same task: what it says of each row, or of each unit of a batch; or any that needs lessons: a row's vector."""
    explains: ClassVar[bool] = False
    """Its answers can be explained: it has `abouts` and `spoken_for`."""
    writes: ClassVar[bool] = False
    """Its answers are ids of units (tuples of int), which the modality turns into what a person reads."""
    loops: ClassVar[bool] = False
    """It is for writing unit by unit, each after those before: several passes through the network, which not every format can hold."""
    rivals: ClassVar[tuple[str, ...]] = ()
    """Baselines that are judged along with its own answers: metric `m` of `rival` is called `m_rival`."""
    draws: ClassVar[bool] = False
    """It makes rows of values (`drawn`)."""
    sounds: ClassVar[bool] = False
    """Its answers are sounds, whose samples are their `waves`."""

    @property
    def tells(self) -> bool:
        """It tells the backbone something of each row as a whole (`Features.given`)."""
        return False

    @property
    def by_dropout(self) -> bool:
        """It compares two passes over the same row, which only the backbone's dropout can tell apart."""
        return False

    @property
    def by_variation(self) -> bool:
        """It compares two views of a row that its modality makes (`Modality.varied`): a training batch's `other` is the second."""
        return False

    @property
    def momentum(self) -> float:
        """How slowly a copy of the encoder follows, as the decay of its moving average; 0: there is no copy."""
        return 0.0

    @property
    def players(self) -> tuple[str, ...]:
        """Who moves in a step, in this order, on one batch: each by its own loss and optimiser, while the others stand still. One, as a rule."""
        return (ONLY,)

    def owner(self, parameter: str) -> str:
        """The player that a parameter belongs to, by its name in `Model.named_parameters()`."""
        return self.players[0]

    def plays(self, player: str) -> Task:
        """A copy whose `outputs` and `loss` are those of this player's move; only where there are several. The task that nobody plays is the
        judge: by its `outputs` and `loss` the model is validated, and they change nothing."""
        raise AssertionError(f"{self.name()} has one player")

    @property
    def classes(self) -> tuple[str, ...]:
        """By what scores are told apart: class names, or what tags mark; learned in `fit`."""
        return ()

    def fit(self, records: Sequence[Record]) -> Self:
        """A copy that knows what the training records teach (class names, scale of the target); one that has nothing to learn hands itself back."""
        return self

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """Targets of one row, stacked along a new first axis; where their first axes differ, shorter ones are filled with -1. None
        where units are all that is learned from."""
        return {}

    @abstractmethod
    def head(self, spec: UnitSpec, dim: int) -> nn.Module: ...

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Any:
        """What `loss`, `evidence` and `decode` read; may corrupt, or encode twice."""
        return head(encoder(batch.units))

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> Any:
        """What `decode` reads of plain units, without chance and targets: a tensor, or tensors by name, each with the row as its first axis or
        the same for all rows; of a task that loops whatever writes. Where a row has a label or tags, `evidence` reads no more than this."""
        return self.outputs(encoder, head, Batch(units))

    @abstractmethod
    def loss(self, outputs: Any, batch: Batch) -> Ratio:
        """(total, count) over the batch, never a mean."""

    def lesson(self, outputs: Any) -> Any:
        """What a teacher's outputs teach beyond its answers; None: its answers are all. Of rows a tensor `(B, …)` float32, whose second axis
        may differ from batch to batch and is then filled up with -1; of units whatever `lesson_loss` reads."""
        return None

    def lesson_loss(self, outputs: Any, lesson: Any, temperature: float) -> Ratio:
        """(total, count) of how far the outputs are from a teacher's lesson; only where `lesson` gives one."""
        raise AssertionError(f"{self.name()} has no lessons")

    @abstractmethod
    def evidence(self, outputs: Any, batch: Batch) -> Columns:
        """Per-row columns that the metrics read."""

    @abstractmethod
    def metrics(self) -> Mapping[str, Metric]:
        """By name; the first is the one by which the best checkpoint is chosen."""

    @abstractmethod
    def decode(self, outputs: Any) -> list[Prediction]: ...

    def reading(self) -> Mapping[str, Any]:
        """How a program without this code reads what `answers` gives, as JSON: its `kind` and what that needs. tensors: left to the reader."""
        return {"kind": "tensors"}

    def abouts(self, answer: Prediction, asked: str | None = None, words: Sequence[str] = ()) -> Sequence[About]:
        """What of a row's answer can be explained: what was answered, or what is `asked` for; may be nothing. `words`: of a task that answers word
        by word, the row's. Raises CannotExplain where answers are neither classes, nor a number, nor tags, UnknownName for what is asked in vain."""
        raise unexplained(self)

    def spoken_for(self, outputs: Any, about: About) -> Tensor:
        """`(B,)`, with gradient: the number that stands for `about` in each row, the larger the more the model says so."""
        raise unexplained(self)

    def drawn(self, encoder: Encoder, head: nn.Module, wanted: Wanted) -> Tensor:
        """`(N, *grid, C)` normalised values, drawn by a model at rest and without gradients; only of a task that `draws`. Raises UnknownName for
        a class that training never met, and BadSetting for a wish that it cannot meet."""
        raise AssertionError(f"{self.name()} does not draw")

    def judge(self, answers: Sequence[Prediction], records: Sequence[Record]) -> Columns:
        """More evidence, from the final answers (the decoded texts of a task that writes), for `answer_metrics`."""
        return {}

    def answer_metrics(self) -> Mapping[str, Metric]:
        """Metrics over what `judge` found; computed where whole answers are worth their time: on the test split."""
        return {}

    def notes(self) -> Mapping[str, str]:
        """What must stand beside a metric for others to know what it is, by its name: the signature of BLEU, say."""
        return {}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """What a person should hear after a validation with these scores, such as that the embeddings collapse."""
        return []

    @classmethod
    @abstractmethod
    def example(cls) -> Example: ...
