"""Folders of sentence-transformers: an encoder, how its states are pooled, and whether the result has length 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zhuji.core.errors import UnreadableModel, UnsafeBundle
from zhuji.core.log import in_language
from zhuji.model.huggingface.family import unwritable
from zhuji.model.huggingface.files import read_json, read_object
from zhuji.nn.heads import Pool

MODULES, SETTINGS, TOLD = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"

_POOLS: dict[str, Pool] = {"cls": "first", "mean": "mean", "max": "max", "lasttoken": "last"}
_OLD = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max", "lasttoken": "lasttoken"}
_KINDS = ("Transformer", "Pooling", "Normalize")
_CLASSES = "sentence_transformers.models."


@dataclass(frozen=True)
class Sentence:
    """`encoder`: where its folder lies; `limit`: the most units of a row; `lowercase`: texts are set in small letters first."""

    encoder: Path
    pool: Pool
    normalise: bool
    limit: int | None
    lowercase: bool


def read(folder: Path) -> Sentence | None:
    """What modules.json says; None where there is none. Raises UnreadableModel."""
    modules = read_json(folder, MODULES)
    if modules is None:
        return None
    places: dict[str, Path] = {}
    for module in modules if isinstance(modules, list) else [None]:
        kind, path = (str(module.get("type")), module.get("path")) if isinstance(module, dict) else ("None", "")
        name = kind.rpartition(".")[2]
        if name not in _KINDS or name in places or not kind.startswith("sentence_transformers."):
            names = ", ".join(_KINDS)
            raise _refusal(folder / MODULES, f"its modules must be: {names}", f"其模块必须是：{names}", kind)
        places[name] = _inside(folder, path)
    if tuple(places) not in (_KINDS, _KINDS[:2]):
        shown = ", ".join(places)
        raise _refusal(folder / MODULES, "an encoder is followed by its pooling", "编码器之后须为池化", shown)
    told = read_object(folder, TOLD) or {}
    prompt = (told.get("prompts") or {}).get(told.get("default_prompt_name") or "")
    if prompt:
        raise _refusal(folder / TOLD, "texts must not be given a prompt", "不得为文本添加提示语", prompt)
    settings = read_object(places["Transformer"], SETTINGS) or {}
    limit = settings.get("max_seq_length")
    return Sentence(
        places["Transformer"],
        _pool(places["Pooling"]),
        "Normalize" in places,
        limit if type(limit) is int and limit > 0 else None,
        settings.get("do_lower_case") is True,
    )


def _inside(folder: Path, path: object) -> Path:
    parts = PurePosixPath(path).parts if isinstance(path, str) else ("..",)
    if len(parts) > 1 or ".." in parts or any("\\" in part or part == "/" for part in parts):
        why = in_language("a module lies outside of the folder", "有模块位于文件夹之外")
        raise UnsafeBundle(file=folder / MODULES, why=why, value=path)
    found = folder.joinpath(*parts)
    if parts and found.is_symlink():
        raise UnsafeBundle(file=folder, why=in_language("it holds a link", "其中有链接"), value=path)
    return found


def _pool(folder: Path) -> Pool:
    settings = read_object(folder, "config.json") or {}
    named = settings.get("pooling_mode")
    old = [short for key, short in _OLD.items() if settings.get(f"pooling_mode_{key}") is True]
    odd = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True and key[13:] not in _OLD]
    modes = [named] if named is not None else [*old, *odd]
    if len(modes) != 1 or modes[0] not in _POOLS:
        names = ", ".join(_POOLS)
        raise _refusal(folder / "config.json", f"one pooling of: {names}", f"只能是一种池化：{names}", modes)
    return _POOLS[modes[0]]


def _refusal(path: Path, en: str, zh: str, value: object) -> UnreadableModel:
    return UnreadableModel(file=path, why=in_language(en, zh), value=value)


def written(pool: Pool, width: int, limit: int) -> Iterator[tuple[str, str]]:
    """The files beside the encoder's, for embeddings of length 1. Raises UnwritableModel for another pooling than theirs."""
    ours = {pool: theirs for theirs, pool in _POOLS.items()}
    if pool not in ours:
        raise unwritable(
            f"task.pool is {pool}, and must be one of: {', '.join(ours)}", f"task.pool 为 {pool}，必须是：{', '.join(ours)}"
        )
    paths = ("", "1_Pooling", "2_Normalize")
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": _CLASSES + kind}
        for n, (path, kind) in enumerate(zip(paths, _KINDS, strict=True))
    ]
    pooling = {f"pooling_mode_{key}": ours[pool] == short for key, short in _OLD.items()}
    yield MODULES, _json(modules)
    yield "1_Pooling/config.json", _json({"word_embedding_dimension": width, **pooling})
    yield "2_Normalize/config.json", _json({})
    yield SETTINGS, _json({"max_seq_length": limit, "do_lower_case": False})
    yield TOLD, _json({"similarity_fn_name": "cosine"})


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1)
