"""A folder of theirs as a model of ours. Nothing in it is executed; what cannot be followed number for number is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Reads
from zhuji.core.errors import DamagedBundle, UnreadableModel
from zhuji.core.log import in_language, say
from zhuji.data.settings import CleanSettings
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.huggingface import chat, families, files, pictures, sentence, sounds, tokenizer
from zhuji.model.huggingface.family import Family, Head, Tensors, translated
from zhuji.model.huggingface.heads import task_of
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.tensors import fitting, refuse_rest
from zhuji.model.predictor import Predictor
from zhuji.nn.heads import Pool
from zhuji.tasks.next_unit import NextUnit

_AS_IT_IS = CleanSettings(encoding=False, unicode=None, control=False, whitespace=False)
_LARGEST_TABLE = 1 << 24


@dataclass(frozen=True)
class _Source:
    """A folder, whose it is, and what its config says."""

    folder: Path
    options: Options
    family: Family
    architecture: str
    head: Head


def looks_like(path: Path | str) -> bool:
    """Whether a model of theirs lies there: a config.json that names a `model_type` or an architecture, or a modules.json."""
    folder = Path(path)
    if not folder.is_dir() or (folder / "bundle").is_dir():
        return False
    if (folder / sentence.MODULES).is_file():
        return True
    return (folder / files.CONFIG).is_file() and bool(
        {"model_type", "architectures", "architecture"} & files.read_config(folder).keys()
    )


def reads(path: Path | str) -> Reads:
    """What the model in such a folder reads: by its config.json alone, where that tells."""
    folder = Path(path)
    config = files.read_config(folder) if (folder / files.CONFIG).is_file() else {}
    if pictures.knows(config):
        return "pictures"
    return "sounds" if sounds.knows(config) else "texts"


def read(path: Path | str) -> Predictor:
    """The model in a folder of `transformers`, `sentence-transformers` or `timm`, in fp32 on the CPU.

    A bare encoder, and any over speech, becomes a model of embeddings, by the mean of its states or by its class token.

    Raises:
        NotABundle: no such model is there.
        UnreadableModel: its architecture, an option or a file is one that we have no counterpart for; pickled weights.
        UnsafeBundle: links, or files of another kind or size than they may be.
        DamagedBundle: its files do not fit together.
    """
    folder = Path(path)
    for others in (pictures, sounds):
        if (seen := others.read(folder)) is not None:
            return seen
    found = sentence.read(folder) if folder.is_dir() else None
    source = _source(folder if found is None else found.encoder)
    text = _text(source, found)
    headers = files.declared(source.folder)
    declared = {name for header in headers.values() for name in header}
    body = _body(source, len(declared))
    tied = (
        source.options.get("tie_word_embeddings", "lm_head.weight" not in declared) is True or "lm_head.weight" not in declared
    )
    pool: Pool = "mean" if found is None else found.pool
    task = task_of(source.head, body, source.options, pool, tied)
    if isinstance(task, NextUnit):
        task = task.model_copy(update={"chat": chat.read(source.folder, text)})
    source.options.tell_rest()
    if source.head.purpose == "tag":
        text = text.model_copy(update={"pieces": True})
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in assemble(text, body, task).state_dict().items()}
    weights = _weights(source, body, text, headers, shapes)
    model = assemble(text, body, task)
    model.load_state_dict({**model.state_dict(), **weights})
    if found is not None and not found.normalise:
        shown = folder / sentence.MODULES
        say(in_language(f"{shown}: its embeddings are given length 1 here.", f"{shown}：此处会将其嵌入归一化为长度 1。"))
    made = {"from": "huggingface", "architecture": source.architecture}
    return Predictor(model.eval(), _AS_IT_IS, run=made)


def _source(folder: Path) -> _Source:
    config = files.read_config(folder)
    options = Options(config, folder / files.CONFIG)
    family, architecture, head = families.found(options)
    return _Source(folder, options, family, architecture, head)


def _text(source: _Source, found: sentence.Sentence | None) -> Text:
    options = source.options
    kind = "roberta" if options.get("model_type") in ("xlm-roberta", "camembert") else options.get("model_type")
    vocabulary = options.count("vocab_size", None)
    text = tokenizer.read(source.folder, kind, vocabulary, source.family.positions(options))
    if found is None:
        return text
    if found.lowercase and text.encode(["A"])[0].ids.tolist() != text.encode(["a"])[0].ids.tolist():  # pyright: ignore[reportOptionalMemberAccess]
        why = in_language("'do_lower_case' must agree with the tokenizer", "「do_lower_case」必须与分词器一致")
        raise UnreadableModel(file=source.folder / sentence.SETTINGS, why=why)
    return text.model_copy(update={"max_units": min(text.max_units, found.limit or text.max_units)})


def _body(source: _Source, tensors: int) -> Transformer:
    """Our settings, of which no more blocks are built than there are tensors."""
    try:
        body = source.family.read(source.options)
    except ValueError as error:
        why = " ".join(str(error).split())[:200]
        raise UnreadableModel(file=source.options.path, why=why) from None
    if body.layers > tensors:
        why = in_language(
            f"it asks for {body.layers} blocks and holds {tensors} tensors", f"它要求 {body.layers} 层，却只有 {tensors} 个张量"
        )
        raise DamagedBundle(file=source.options.path, why=why)
    return body


def _weights(
    source: _Source, body: Transformer, text: Text, headers: Mapping[str, object], shapes: Mapping[str, torch.Size]
) -> Tensors:
    """Our tensors by our names; a tensor that has no counterpart, or another shape, is an error."""
    theirs: Tensors = {}
    for name in headers:
        theirs |= {_bare(key, source.family): tensor for key, tensor in files.tensors(source.folder, name)}
    theirs = source.family.loosen(theirs, source.options.data)
    names = source.family.names(body.layers, source.head)
    ours: Tensors = {}
    for name, shape in shapes.items():
        wanted = translated(name, names)
        if wanted is None:
            continue
        tensor = theirs.pop(wanted, None)
        if tensor is None and source.family.biases_may_lack and name.endswith(".bias"):
            tensor = torch.zeros(shape)
        ours[name] = fitting(tensor, shape, wanted, source.folder)
    if text.special.mask is not None and "head.mask" in shapes:
        ours["head.mask"] = ours["encoder.stem.table.weight"][text.special.mask].clone()
    _refuse_rest(source, theirs, ours)
    return ours


def _bare(name: str, family: Family) -> str:
    return name.removeprefix(family.prefix)


def _refuse_rest(source: _Source, rest: Tensors, ours: Tensors) -> None:
    twins = {name: ours.get(source.head.twins.get(name, "")) for name in rest}
    left = {name: tensor for name, tensor in rest.items() if (twin := twins[name]) is None or not torch.equal(twin, tensor)}
    refuse_rest(left, source.family.ignored, source.architecture, source.folder)
