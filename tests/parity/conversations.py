"""Vocabularies with a chat format's marks as special tokens, as `transformers` has them, and conversations. No weights are needed: what is
compared is what a model would read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.parity.huggingface_folders import TEXTS, transformers
from zhuji.backbones.transformer import Transformer
from zhuji.data.chat import ChatFormat, Message, named
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble
from zhuji.model.huggingface import tokenizer as ours
from zhuji.tasks.next_unit import NextUnit

SPECIAL = {
    name: tuple(mark for mark in chat.marks if mark not in ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>") or name == "mistral")
    for name, chat in named().items()
    if name != "plain"
}
"""The marks that are special tokens in the vocabularies of the models that a format is from; zephyr's roles are text."""
SPECIAL["zephyr"] = ("</s>",)

SAID = {
    "one": [("user", "Hello, who are you?")],
    "system": [("system", "You are a cat."), ("user", "Meow?")],
    "turns": [("user", "1+1?"), ("assistant", "It is 2."), ("user", "And 2+2?"), ("assistant", "4"), ("user", "Thanks!")],
    "all": [
        ("system", "Be brief.\nBe kind."),
        ("user", "筑基 是什么？"),
        ("assistant", "从头开始 😀"),
        ("user", "a  b\n\n\tc"),
    ],
    "blanks": [("user", "  two before, a line after\n"), ("assistant", "\n\n code:\n  x = 1\n"), ("user", "\n")],
    "signs": [("user", "{{ bos_token }} {% raw %} \"quoted\" 'so' \\n \\ é ﬁ <b> & ' '")],
}
"""Conversations without a mark in what is said."""


def messages(name: str) -> list[dict[str, str]]:
    """As `transformers` takes them."""
    return [{"role": role, "content": text} for role, text in SAID[name]]


def told(name: str) -> list[Message]:
    """As we take them."""
    return [Message(role, text) for role, text in SAID[name]]  # type: ignore[arg-type]


def vocabulary(kind: str, special: tuple[str, ...]) -> Any:
    """A tokenizer of theirs. `bytes`: as GPT-2's and Llama 3's; `legacy`: as Llama 2's, with a blank before every text between special tokens;
    `first`: as Mistral's later ones, with a blank before the first text alone; `bare`: as Gemma's, with none."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        tokenizer.train_from_iterator(TEXTS * 3, trainer)
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        names = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
        prepend = [normalizers.Prepend("▁")] if kind == "legacy" else []
        tokenizer.normalizer = normalizers.Sequence([*prepend, normalizers.Replace(" ", "▁")])
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=names, show_progress=False)
        tokenizer.train_from_iterator(TEXTS[:1] * 3, trainer)
        plain = json.loads(tokenizer.to_str())
        plain["added_tokens"] = plain["added_tokens"][:1]
        tokenizer = Tokenizer.from_str(json.dumps(plain))
        if kind == "first":
            tokenizer.normalizer = normalizers.Sequence([])
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    begins = next((name for name in ("<s>", "<bos>", "<|begin_of_text|>") if name in special), None)
    ends = next((name for name in ("</s>", "<eos>", "<|eot_id|>", "<|im_end|>") if name in special), None)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=begins, eos_token=ends, model_max_length=4096
    )


def written(theirs: Any, folder: Path, template: str = "") -> Path:
    """The tokenizer's folder, with that chat template."""
    theirs.chat_template = template or None
    theirs.save_pretrained(folder)
    return folder


def read(folder: Path) -> Text:
    """Our modality from a tokenizer's folder."""
    size = max(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"].values()) + 20
    return ours.read(folder, "llama", size, 4096)


def model(text: Text, chat: ChatFormat) -> Model:
    """A tiny model with this vocabulary, which reads conversations in this format."""
    torch.manual_seed(0)
    return assemble(text, Transformer(width=8, layers=1, heads=2, dropout=0.0), NextUnit(chat=chat)).eval()
