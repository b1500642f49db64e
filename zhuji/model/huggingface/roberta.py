"""RoBERTa (Liu et al. 2019) and its multilingual kin: BERT with another head, and positions that begin after the id of padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.backbones.transformer import Transformer
from zhuji.modalities.text import Text
from zhuji.model.huggingface.bert import Bert
from zhuji.model.huggingface.family import Head, Tensors, unwritable
from zhuji.model.huggingface.options import Options

_POSITIONS = "embeddings.position_embeddings.weight"
_HEADS = {
    "ForMaskedLM": Head(
        "masked",
        {"ids.rise": "lm_head.dense", "ids.norm": "lm_head.layer_norm", "ids.bias": "lm_head.bias"},
        twins={"lm_head.decoder.weight": "encoder.stem.table.weight", "lm_head.decoder.bias": "head.ids.bias"},
    ),
    "ForSequenceClassification": Head(
        "classify", {"rise": "classifier.dense", "out": "classifier.out_proj"}, activation="tanh"
    ),
    "ForTokenClassification": Head("tag", {"out": "classifier"}),
    "Model": Head("embed"),
}


class Roberta(Bert):
    """Written for models of one token type; its table of positions has rows before the first that nobody reads."""

    types = ("roberta", "xlm-roberta", "camembert")
    prefix = "roberta."
    heads: ClassVar[Mapping[str, Head]] = {
        f"{kin}{name}": head for kin in ("Roberta", "XLMRoberta", "Camembert") for name, head in _HEADS.items()
    }
    ignored = (r"embeddings\.position_ids", r"pooler\..*")

    def positions(self, options: Options) -> int:
        return options.count("max_position_embeddings", 512) - _first(options.data)

    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        if text.special.pad is None:
            raise unwritable("roberta needs an id for padding", "roberta 需要填充编号")
        config = super().described(body, text)
        first = _first({"pad_token_id": text.special.pad})
        return {**config, "max_position_embeddings": config["max_position_embeddings"] + first}

    def loosen(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        tensors = super().loosen(tensors, config)
        return {name: t[_first(config) :] if name.endswith(_POSITIONS) else t for name, t in tensors.items()}

    def fasten(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        table = tensors[_POSITIONS]
        shifted = table.new_zeros(_first(config) + len(table), table.shape[1])
        shifted[_first(config) :] = table
        return super().fasten({**tensors, _POSITIONS: shifted}, config)


def _first(config: Mapping[str, Any]) -> int:
    """The row of the first unit's position."""
    pad = config.get("pad_token_id", 1)
    return pad + 1 if type(pad) is int else 2
