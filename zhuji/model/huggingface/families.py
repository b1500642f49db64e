"""The families that are known."""

from __future__ import annotations

from zhuji.model.huggingface.bert import Bert
from zhuji.model.huggingface.distilbert import DistilBert
from zhuji.model.huggingface.family import Family, Head, architecture_of, family_of
from zhuji.model.huggingface.gpt2 import Gpt2
from zhuji.model.huggingface.llama import Llama
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.roberta import Roberta

FAMILIES: tuple[Family, ...] = (DistilBert(), Roberta(), Bert(), Gpt2(), Llama())


def known(model_type: object) -> bool:
    return any(model_type in family.types for family in FAMILIES)


def found(options: Options) -> tuple[Family, str, Head]:
    """Family, name of the architecture and head of a config. Raises UnreadableModel."""
    kind = options.get("model_type")
    family = family_of(FAMILIES, options.data)
    if family is None:
        names = ", ".join(name for family in FAMILIES for name in family.types)
        raise options.refuse("model_type", f"must be one of: {names}", f"必须是以下之一：{names}", kind)
    architecture = architecture_of(options, family.heads)
    return family, architecture, family.heads[architecture]
