"""From texts and a modality to a corpus that is ready to be read: the modality fitted, shards written, both kept for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core import lookup
from zhuji.core.config import overlay
from zhuji.core.contracts import Encoded, Modality
from zhuji.core.errors import BadSetting, MissingFile
from zhuji.core.files import atomic_folder, read_json, write_json
from zhuji.core.log import in_language
from zhuji.core.seed import derive
from zhuji.data.chat import ChatFormat
from zhuji.data.corpus.blocks import damaged
from zhuji.data.corpus.build import Coding, build, existing, fingerprint_of, sample, sources_of
from zhuji.data.corpus.rows import kinds_of
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Arrays, ArraySpec
from zhuji.data.ledger import Ledger
from zhuji.modalities.text import Text

MODALITY = "modality.json"
"""How a modality describes itself, beside the files of what it learned."""
TOKENIZER = "tokenizer"
"""The folder, inside that of a corpus, of the modality that made it."""
_LONGEST = 2**31 - 1
"""Units of a document in a corpus: it is cut when it is read, so that one corpus serves models of every length."""
_NAME = 16
"""Digits of a fingerprint that name a folder."""


@dataclass(frozen=True)
class Ready:
    """The fitted modality, and the folder with the corpus that it made."""

    modality: Modality
    folder: Path


def ready(
    settings: CorpusSettings, modality: Modality, cache: Path, seed: int, *, watch: Callable[[Ledger], None] | None = None
) -> Ready:
    """The corpus of these settings in units of this modality, which is fitted on a sample of it if it is not fitted yet.

    What was made before in `cache` of the same texts in the same way is used again. Where the only source is a corpus that
    `write` made, it is used as it is, with its own modality.

    Raises BadSetting: the source is a corpus that another modality made; and what `build` raises.
    """
    if (made := _made_before(settings)) is not None:
        return Ready(_modality_of(made, modality), made)
    modality = fitted(settings, modality, cache, seed)
    coding = coding_of(modality, settings.chat)
    folder = cache / f"corpus-{fingerprint_of(settings, sources_of(settings), coding)[:_NAME]}"
    build(folder, settings, coding, watch=watch)
    return Ready(modality, folder)


def write(
    folder: Path, settings: CorpusSettings, modality: Modality, seed: int, *, watch: Callable[[Ledger], None] | None = None
) -> Ready:
    """A corpus at `folder`, with its modality inside, to be trained on again and again or taken elsewhere.

    Raises what `build` raises.
    """
    own = folder / TOKENIZER
    if not modality.fitted:
        modality = modality.fit(sample(settings), derive(seed, "modality"))
    build(folder, settings, coding_of(modality, settings.chat), watch=watch)
    if not own.exists():
        save_modality(modality, own)
    return Ready(modality, folder)


def fitted(settings: CorpusSettings, modality: Modality, cache: Path, seed: int) -> Modality:
    """The modality, fitted on a sample of the corpus if it was not; what was learned is kept in `cache`."""
    if modality.fitted:
        return modality
    asked = Coding(lambda texts: [], {}, f"{json.dumps(described(modality), sort_keys=True)} {seed}")
    folder = cache / f"{TOKENIZER}-{fingerprint_of(settings, sources_of(settings), asked)[:_NAME]}"
    if not folder.exists():
        save_modality(modality.fit(sample(settings), derive(seed, "modality")), folder)
    return modality.with_files(_learned(folder))


def coding_of(modality: Modality, chat: ChatFormat | None = None) -> Coding:
    """How a fitted modality writes its units into a corpus: `ids`, `values` and `words`, whichever it has, of whole documents. `chat`: the
    format in whose conversations marks are special tokens, where the vocabulary has them as such."""
    spec = modality.spec
    if spec.grid_ndim != 1:
        rule = in_language("must give sequences for a corpus", "用于语料时必须给出序列")
        raise BadSetting(key="modality.name", rule=rule, value=modality.name())
    whole = modality.model_copy(update={"max_units": _LONGEST}) if "max_units" in type(modality).model_fields else modality
    arrays: dict[str, ArraySpec] = {}
    if spec.num_ids:
        arrays["ids"] = ArraySpec(dtype="<u2" if spec.num_ids <= 1 << 16 else "<u4", below=spec.num_ids)
    if spec.num_values:
        arrays["values"] = ArraySpec(dtype="<f4", channels=spec.num_values)
    if whole.encode(["word"])[0].parts is not None:
        rule = in_language(
            "cannot be written into a corpus: its units have parts besides their ids",
            "不能写入语料：其单元除编号外还有组成部分",
        )
        raise BadSetting(key="modality.name", rule=rule, value=modality.name())
    if whole.encode(["word"])[0].words is not None:
        arrays["words"] = ArraySpec(dtype="|u1", below=3)
    encode = whole.encode
    if chat is not None and isinstance(whole, Text) and "words" not in arrays and whole.marked(chat.marks).marks:
        encode = partial(whole.encode_marked, names=chat.marks, begun=chat.begin is not None)
    return Coding(lambda texts: [_arrays(row, arrays) for row in encode(texts)], arrays, identity(modality))


def _arrays(row: Encoded, wanted: Mapping[str, ArraySpec]) -> Arrays:
    known = {"ids": row.ids, "values": row.values, "words": None if row.words is None else kinds_of(row.words)}
    found: dict[str, np.ndarray] = {name: array for name, array in known.items() if name in wanted and array is not None}
    return found


def described(modality: Modality) -> dict[str, Any]:
    """Name and settings, but for the length, which belongs to reading."""
    return {key: value for key, value in modality.described().items() if key != "max_units"}


def identity(modality: Modality) -> str:
    """A sha256 that changes with whatever the modality would encode in another way."""
    digest = hashlib.sha256(json.dumps(described(modality), sort_keys=True).encode())
    for name, data in sorted(modality.files().items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def save_modality(modality: Modality, folder: Path) -> None:
    """A fitted modality as a folder: its description, and what it learned (for text, `tokenizer.json`)."""
    with atomic_folder(folder) as partial:
        for name, data in modality.files().items():
            (partial / name).write_bytes(data)
        write_json(partial / MODALITY, modality.described())


def read_modality(folder: Path) -> Modality:
    """The modality that `save_modality` wrote.

    Raises MissingFile: there is none; DamagedFile: it is not as it was written.
    """
    path = folder / MODALITY
    if not path.is_file():
        raise MissingFile(file=path)
    try:
        return lookup.build(Modality, read_json(path)).with_files(_learned(folder))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, str(error)) from None


def _learned(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file() and path.name != MODALITY}


def _made_before(settings: CorpusSettings) -> Path | None:
    """The one source, where it is a corpus itself."""
    folder = Path(settings.sources[0].path)
    return folder if len(settings.sources) == 1 and existing(folder) is not None else None


def _modality_of(corpus: Path, asked: Modality) -> Modality:
    """The modality that made the corpus, with the length that is asked for; `asked` itself if it is that one."""
    manifest = existing(corpus)
    assert manifest is not None
    if not asked.fitted:
        own = read_modality(corpus / TOKENIZER)
        length = {key: value for key, value in asked.plain().items() if key == "max_units"}
        asked = own.model_copy(update=length)
    if identity(asked) != manifest.encoder:
        rule = in_language(
            f"must be texts, or a corpus in units of the same tokenizer; '{corpus.name}' is in those of another",
            f"必须是文本，或由同一分词器编码的语料；「{corpus.name}」用的是另一个分词器",
        )
        raise BadSetting(key="corpus.sources", rule=rule)
    return asked


def absolute(settings: CorpusSettings) -> dict[str, Any]:
    """The settings in their written form, with paths that can be found from anywhere."""
    plain = settings.plain()
    for kind in ("sources", "exclude"):
        moved = [overlay(texts, {"path": str(Path(texts["path"]).absolute())}) for texts in plain[kind]]
        plain[kind] = moved
    return plain
