"""Tiny random models with tiny tokenizers, as `transformers` itself writes them. B rows, T units, V ids."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zhuji.model.predictor import Predictor

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
transformers = pytest.importorskip("transformers", reason="the reference is the package transformers, which is not installed")

TEXTS = [
    "The cat sat on the mat.",
    "筑基：百日筑基，从头开始训练模型。",
    "Mixed 中文 and English 混合 text 😀👨‍👩‍👧, isn't it?  Two  blanks\tand Ünïcödé ﬁn",
    "a",
    "unaffable " * 30,
]
"""What is encoded: unequal lengths, the last longer than a row may be."""
POSITIONS = 40

SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """`transformers` draws bars and tells news while it loads."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


def wordpiece(folder: Path, cls: Any) -> Any:
    """A BERT tokenizer of 200 ids, with the special names somewhere in the middle."""
    from tokenizers import BertWordPieceTokenizer

    trained = BertWordPieceTokenizer()
    trained.train_from_iterator(
        TEXTS, vocab_size=200, special_tokens=["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    )
    words = sorted(trained.get_vocab(), key=trained.get_vocab().__getitem__)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return cls.from_pretrained(folder, model_max_length=POSITIONS)


def bytewise(folder: Path, cls: Any, special: list[str]) -> Any:
    """A tokenizer of bytes and 300 ids, as GPT-2's."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS * 3, vocab_size=300, special_tokens=special)
    trained.save_model(str(folder))
    return cls.from_pretrained(folder, model_max_length=POSITIONS)


def sentencepiece(folder: Path) -> Any:
    """As Llama's: blanks are written ▁, what is not known is spelt in bytes, and a text begins with <s>."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(TEXTS[:1] * 3, trainers.BpeTrainer(vocab_size=300, special_tokens=names, show_progress=False))
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = [token for token in plain["added_tokens"] if token["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=POSITIONS
    )


def tokenizer_of(kind: str, folder: Path) -> Any:
    """The tokenizer that such a model has."""
    if kind in ("bert", "distilbert"):
        return wordpiece(folder, transformers.BertTokenizerFast)
    if kind == "roberta":
        return bytewise(folder, transformers.RobertaTokenizerFast, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    if kind == "gpt2":
        return bytewise(folder, transformers.GPT2TokenizerFast, ["<|endoftext|>"])
    return sentencepiece(folder)


def config_of(kind: str, tokenizer: Any, **changes: Any) -> Any:
    """A tiny configuration in which every option that can matter is other than its default."""
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer) + 3, "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    own: dict[str, dict[str, Any]] = {
        "bert": {**SHAPE, "max_position_embeddings": POSITIONS, "layer_norm_eps": 1e-6, "type_vocab_size": 2},
        "roberta": {**SHAPE, "max_position_embeddings": POSITIONS + 2, "layer_norm_eps": 1e-5, "type_vocab_size": 1},
        "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": POSITIONS},
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS, "layer_norm_epsilon": 1e-4},
        "llama": {
            **SHAPE, "num_key_value_heads": 2, "max_position_embeddings": POSITIONS, "rms_norm_eps": 1e-4,
            "rope_parameters": {"rope_theta": 500.0, "rope_type": "default"},
        },
    }  # fmt: skip
    own["mistral"] = {**own["llama"], "sliding_window": None}
    own["qwen2"] = own["llama"]
    return transformers.AutoConfig.for_model(kind, **{**common, **own[kind], **changes})


def saved(kind: str, architecture: str, folder: Path, **changes: Any) -> tuple[Any, Any]:
    """Model and tokenizer, written to `folder`. Weights are larger than the usual ones, so that no mistake stays small."""
    with quiet():
        tokenizer = tokenizer_of(kind, folder)
        torch.manual_seed(0)
        model = getattr(transformers, architecture)(config_of(kind, tokenizer, **changes)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.25 + (parameter == 1))
        model.tie_weights()
        for left in folder.iterdir():
            left.unlink()
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return model, tokenizer


def theirs(model: Any, tokenizer: Any, texts: list[str]) -> list[np.ndarray]:
    """Logits of each text in one padded batch: (T, V) of its real units, or (C,) of the text."""
    rows = [tokenizer(text, truncation=True, max_length=POSITIONS)["input_ids"] for text in texts]
    length, pad = max(map(len, rows)), tokenizer.pad_token_id or 0
    ids = torch.tensor([row + [pad] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask)
    found = (out.logits if "logits" in out else out.last_hidden_state).numpy()
    return [row[: len(real)] if row.ndim == 2 else row for row, real in zip(found, rows, strict=True)]


def ours(predictor: Predictor, texts: list[str]) -> list[np.ndarray]:
    """The same of our model."""
    model = predictor.model
    rows = model.modality.encode(texts)
    units = model.modality.collate(rows, (max(row.length for row in rows),))
    with torch.no_grad():
        features = model.encoder(units)
        found = _logits(model, features).numpy()
    return [row[: real.length] if row.ndim == 2 else row for row, real in zip(found, rows, strict=True)]


def _logits(model: Any, features: Any) -> torch.Tensor:
    name, table = model.task.name(), model.encoder.table()
    if name == "masked_units":
        return model.head.ids.logits(features.states, table)
    if name == "next_unit":
        return model.head.logits(features.states, table)
    return features.states if name == "contrast" else model.head(features)


def close(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float = 1e-4) -> None:
    """Equal to `tolerance` of the largest logit."""
    size = max(1.0, *(float(np.abs(row).max()) for row in expected))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * size)
