"""Tiny models of ours, of each family, and the folders that they become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Task
from zhuji.core.lookup import build
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble
from zhuji.model.huggingface import write

TEXTS = ["the cat sat on the mat", "筑基：从头开始 train it", "good", "no, not good at all 😀"]
POST = {
    "norm": "layer",
    "norm_place": "post",
    "positions": "learned",
    "feedforward": "gelu",
    "width": 8,
    "heads": 2,
    "layers": 2,
}
BODIES: dict[str, dict[str, Any]] = {
    "bert": {**POST, "segment_types": 2, "key_bias": True},
    "roberta": {**POST, "segment_types": 1},
    "distilbert": {**POST, "norm_eps": 1e-12},
    "gpt2": {**POST, "norm_place": "pre", "feedforward": "gelu_tanh"},
    "llama": {"width": 8, "heads": 2, "kv_heads": 1, "layers": 2, "hidden": 12},
}


def text(**changes: Any) -> Text:
    return Text.parse({"tokenizer": "wordpiece", "vocab_size": 100, "max_units": 12, "wrap": "both", **changes}).fit(TEXTS)


def model(family: str = "bert", task: dict[str, Any] | None = None, **changes: Any) -> Model:
    """A model of this family; without `task` one of embeddings, or a causal one."""
    task = task or {"name": "next_unit" if family in ("gpt2", "llama") else "contrast"}
    made = assemble(text(), Transformer.parse({**BODIES[family], **changes}), build(Task, task), seed=3).eval()  # type: ignore[type-abstract]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
    return made


def folder(path: Path, family: str = "bert", task: dict[str, Any] | None = None, **changes: Any) -> Path:
    write(model(family, task), path)
    reconfigure(path, **changes)
    return path


def reconfigure(path: Path, name: str = "config.json", **changes: Any) -> None:
    """Set keys of a JSON file; a key set to `...` is removed."""
    data = {**json.loads((path / name).read_text(encoding="utf-8")), **changes}
    (path / name).write_text(json.dumps({key: value for key, value in data.items() if value is not ...}), encoding="utf-8")


def retensor(path: Path, **changes: Any) -> None:
    """Replace, add or (`None`) remove tensors; in names `__` stands for a dot."""
    tensors = safetensors.torch.load((path / "model.safetensors").read_bytes())
    for name, tensor in changes.items():
        tensors.pop(name.replace("__", "."), None)
        if tensor is not None:
            tensors[name.replace("__", ".")] = tensor
    safetensors.torch.save_file(tensors, path / "model.safetensors", {"format": "pt"})


def states(made: Model, texts: list[str] = TEXTS) -> torch.Tensor:
    """What the encoder makes of the texts, (units, D)."""
    rows = made.modality.encode(texts)
    units = made.modality.collate(rows, (max(row.length for row in rows),))
    with torch.no_grad():
        features = made.encoder(units)
    return features.states[features.mask]
