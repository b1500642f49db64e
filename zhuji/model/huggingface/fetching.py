"""The one way to the network: a model by its name on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.core.log import in_language

PREFIX = "hf:"
WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "vocab.txt", "merges.txt", "*/config.json")
UNWANTED = ("onnx/*", "openvino/*", "*.bin", "*.h5", "*.msgpack")
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


def fetch(name: str) -> Path:
    """The folder of `hf:owner/model`, downloaded to the user's cache: weights as safetensors, settings and vocabularies, nothing that
    could be run. Raises MissingExtra, and BadSetting when the hub does not give it."""
    repository = name.removeprefix(PREFIX)
    if not _NAME.fullmatch(repository):
        rule = in_language("must be written as hf:owner/model", "必须写成 hf:所有者/模型（hf:owner/model）")
        raise BadSetting(key="from", rule=rule, value=name)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra(what="--from hf:…", package="huggingface_hub", extra="huggingface") from None
    folder = _cache() / "zhuji" / "hf" / repository.replace("/", "--")
    try:
        snapshot_download(repository, local_dir=folder, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED))
    except Exception as error:
        told = " ".join(str(error).split())[:200]
        rule = in_language(f"must name a model that can be fetched: {told}", f"必须是可以获取的模型：「{told}」")
        raise BadSetting(key="from", rule=rule, value=name) from error
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
