"""A model of ours as a folder that `transformers` and `sentence-transformers` read, without missing or unexpected tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import UnwritableModel
from zhuji.core.files import atomic_folder
from zhuji.modalities.image import Image
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model
from zhuji.model.huggingface import chat, files, heads, pictures, sentence, tokenizer
from zhuji.model.huggingface.families import FAMILIES
from zhuji.model.huggingface.family import Family, Head, Tensors, translated, unwritable
from zhuji.tasks.next_unit import NextUnit


def write(model: Model, folder: Path | str) -> str:
    """Write the folder, which must not exist yet, and hand back the name of the architecture.

    Raises UnwritableModel, with the setting that stands in the way, for a model that is of no family.
    """
    body, text = model.backbone, model.modality
    if isinstance(text, Image):
        return pictures.write(model, text, Path(folder))
    if not isinstance(body, Transformer) or not isinstance(text, Text):
        raise unwritable(
            f"only transformers over text, and vit and resnet over pictures, have counterparts, not {body.name()} over {text.name()}",
            f"只有文本上的 transformer、图片上的 vit 和 resnet 才有对应，{text.name()} 上的 {body.name()} 没有",
        )
    if text.phonemes is not None:
        raise unwritable("texts that are written in phonemes have no counterpart", "以音素书写的文本没有对应")
    family, architecture, head, config = _chosen(model, body, text)
    config = {**config, **_special(text), "vocab_size": text.spec.num_ids, "architectures": [architecture], "dtype": "float32"}
    written = dict(tokenizer.written(text))
    if isinstance(model.task, NextUnit) and model.task.chat is not None:
        settings = {**json.loads(written[tokenizer.SETTINGS]), chat.KEY: chat.jinja(model.task.chat, text)}
        written[tokenizer.SETTINGS] = json.dumps(settings, ensure_ascii=False, indent=1)
    if head.purpose == "embed":
        written |= dict(sentence.written(model.task.described()["pool"], body.width, text.max_units))
    weights = _weights(model, family, head, body.layers, config)
    with atomic_folder(Path(folder)) as partial:
        for name, data in {**written, files.CONFIG: json.dumps(config, ensure_ascii=False, indent=1)}.items():
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(data, encoding="utf-8")
        safetensors.torch.save_file(weights, partial / files.WEIGHTS, {"format": "pt"})
    return architecture


def _chosen(model: Model, body: Transformer, text: Text) -> tuple[Family, str, Head, dict[str, Any]]:
    """The first family that the model is one of, or what stands in the way of the one that it is most like."""
    purpose = heads.purpose_of(model.task)
    reasons: list[tuple[int, UnwritableModel]] = []
    for family in _likely(body, model.task.causal):
        try:
            architecture, head = family.head_for(purpose)
            config = family.described(body, text)
            return family, architecture, head, {**config, **heads.described(model.task, head, body)}
        except UnwritableModel as reason:
            reasons.append((len(reasons), reason))
    raise reasons[0][1]


def _likely(body: Transformer, causal: bool) -> list[Family]:
    """Families in the order in which they are tried: by whether they look ahead, then by token types."""
    kinds = {family.types[0]: family for family in FAMILIES}
    if causal:
        return [kinds[name] for name in (("llama", "gpt2") if body.norm == "rms" else ("gpt2", "llama"))]
    order = {0: ("distilbert", "bert"), 1: ("roberta", "bert")}.get(body.segment_types, ("bert",))
    return [kinds[name] for name in order]


def _special(text: Text) -> dict[str, int | None]:
    special = text.special
    return {"pad_token_id": special.pad, "bos_token_id": special.start, "eos_token_id": special.end}


def _weights(model: Model, family: Family, head: Head, layers: int, config: Mapping[str, Any]) -> Tensors:
    ours = {name: tensor.detach().cpu().float().contiguous() for name, tensor in model.state_dict().items()}
    mask = model.modality.spec.mask
    if "head.mask" in ours and mask is not None:
        # Theirs have no vector of its own for what is hidden: it is that of the mask's id.
        table = ours["encoder.stem.table.weight"].clone()
        table[mask] = ours.pop("head.mask")
        ours["encoder.stem.table.weight"] = table
    names = family.names(layers, head)
    loose: Tensors = {}
    for name, tensor in _with_key_biases(ours).items():
        theirs = translated(name, names)
        if theirs is not None:
            loose[theirs] = tensor
    fast = family.fasten(loose, config)
    return {_full(name, family, head): tensor.contiguous().clone() for name, tensor in fast.items()}


def _with_key_biases(ours: Mapping[str, Tensor]) -> Tensors:
    """Theirs have a bias on the keys wherever there is one on the queries."""
    keys = [name for name in ours if name.endswith("attention.key.weight") and name.replace("key.weight", "query.bias") in ours]
    return {**{name.replace("weight", "bias"): torch.zeros(len(ours[name])) for name in keys}, **ours}


def _full(name: str, family: Family, head: Head) -> str:
    """With the prefix, which a bare model has not and a head's own tensors have not, but for BERT's pooler."""
    own = [theirs for theirs in head.names.values() if not theirs.startswith("pooler.")]
    bare = head.purpose == "embed" or any(name == theirs or name.startswith(f"{theirs}.") for theirs in own)
    return name if bare else family.prefix + name
