"""Tokenizers and corpora by themselves: to be looked at, kept and trained on later, here or elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.errors import CorpusExists, EmptyData
from zhuji.core.log import in_language, say
from zhuji.core.seed import derive
from zhuji.data.corpus.build import sample
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Corpus
from zhuji.data.ledger import Ledger
from zhuji.data.words import counted
from zhuji.modalities.text import Text
from zhuji.training import corpora

MEASURED = 2_000
"""Texts on which a tokenizer is measured."""
SHOWN, SHOWN_CHARACTERS = 3, 120
"""Texts that are shown in pieces, and how much of each."""
TOLD_SECONDS = 30.0
"""Between two words on how far a corpus has come."""


@dataclass(frozen=True)
class TokenizerReport:
    """`texts` and `characters` that it learned from; `vocabulary`: ids it has; measured on a part of these texts: bytes of UTF-8 a
    token, share of tokens that are unknown, and `samples`: the tokens of some beginnings."""

    folder: str
    texts: int
    characters: int
    vocabulary: int
    bytes_per_token: float
    unknown: float
    samples: Sequence[Sequence[str]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CorpusReport:
    """`splits`: name -> documents and units; `ledger`: what became of every text, as `Ledger.as_dict` tells it; `bytes` on disk."""

    folder: str
    vocabulary: int
    splits: Mapping[str, Mapping[str, int]]
    ledger: Mapping[str, Any]
    bytes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def told(self) -> str:
        """The ledger in one sentence."""
        read, used, cut, dropped = (self.ledger[name] for name in ("read", "used", "cut", "dropped"))
        causes = counted(self.ledger["causes"]["dropped"])
        return in_language(
            f"{read:,} texts read = {used:,} used + {cut:,} cut + {dropped:,} dropped ({causes or 'none'})",
            f"读取 {read:,} 篇 = 使用 {used:,} + 截短 {cut:,} + 丢弃 {dropped:,}（{causes or '无'}）",
        )


def tokenizer(settings: CorpusSettings, to: Path, modality: Text, *, seed: int = 0) -> TokenizerReport:
    """Trains the tokenizer that `modality` describes on a sample of the corpus and saves it as the folder `to`, which
    `corpora.read_modality` reads and which holds a plain tokenizer.json.

    Raises CorpusExists: something is there; EmptyData: no text is left to learn from; see also `zhuji.data.corpus.texts.Texts`.
    """
    if to.exists():
        raise CorpusExists(file=to)
    texts = sample(settings)
    if not texts:
        raise EmptyData(file=settings.sources[0].path)
    fitted = modality.fit(texts, derive(seed, "modality"))
    corpora.save_modality(fitted, to)
    return measured(fitted, texts, str(to))


def measured(text: Text, texts: Sequence[str], folder: str = "") -> TokenizerReport:
    """How a fitted tokenizer cuts these texts."""
    some = texts[:: max(1, len(texts) // MEASURED)]
    whole = text.model_copy(update={"max_units": 2**31 - 1, "wrap": "none"})
    ids = np.concatenate([row.ids for row in whole.encode(some) if row.ids is not None])
    shown = whole.encode([one[:SHOWN_CHARACTERS] for one in some[:SHOWN]])
    unknown = text.special.unknown
    return TokenizerReport(
        folder, len(texts), sum(map(len, texts)), text.num_tokens,
        bytes_per_token=sum(len(one.encode("utf-8", "replace")) for one in some) / len(ids),
        unknown=float((ids == unknown).mean()) if unknown is not None else 0.0,
        samples=[[whole.decode([int(i)]) for i in row.ids] for row in shown if row.ids is not None],
    )  # fmt: skip


def corpus(settings: CorpusSettings, to: Path, modality: Text, *, seed: int = 0) -> CorpusReport:
    """Builds the corpus as the folder `to`, with its tokenizer inside (trained first, if `modality` is not fitted); what is there is
    used again if it is this very corpus.

    Raises CorpusExists, TooFewRows; see also `zhuji.data.corpus.texts.Texts`.
    """
    begun = time.monotonic()
    ready = corpora.write(to, settings, modality, seed, watch=_Teller(begun))
    train, valid = Corpus(ready.folder), Corpus(ready.folder, "valid")
    return CorpusReport(
        str(to), ready.modality.spec.num_ids,
        {split.split: {"documents": split.documents, "units": split.units} for split in (train, valid)},
        train.manifest.ledger, sum(path.stat().st_size for path in ready.folder.rglob("*") if path.is_file()),
        round(time.monotonic() - begun, 1),
    )  # fmt: skip


class _Teller:
    """Says now and then how far it is."""

    def __init__(self, begun: float) -> None:
        self._begun = self._told = begun

    def __call__(self, ledger: Ledger) -> None:
        now = time.monotonic()
        if now - self._told < TOLD_SECONDS:
            return
        self._told = now
        speed = ledger.read / (now - self._begun)
        say(in_language(
            f"{ledger.read:,} texts read, {ledger.units:,} units kept; {speed:,.0f} texts/s",
            f"已读 {ledger.read:,} 篇，保留 {ledger.units:,} 个单元；{speed:,.0f} 篇/秒",
        ))  # fmt: skip
