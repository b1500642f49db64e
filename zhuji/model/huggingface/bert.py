"""BERT (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.backbones.transformer import Transformer
from zhuji.modalities.text import Text
from zhuji.model.huggingface.family import ACTIVATIONS, GELU, Family, Head, Tensors, demand, eps_of
from zhuji.model.huggingface.options import Options

BLOCK = {
    "body.blocks.{n}.attention.query": "encoder.layer.{n}.attention.self.query",
    "body.blocks.{n}.attention.key": "encoder.layer.{n}.attention.self.key",
    "body.blocks.{n}.attention.value": "encoder.layer.{n}.attention.self.value",
    "body.blocks.{n}.attention.out": "encoder.layer.{n}.attention.output.dense",
    "body.blocks.{n}.attention_norm": "encoder.layer.{n}.attention.output.LayerNorm",
    "body.blocks.{n}.feedforward.rise": "encoder.layer.{n}.intermediate.dense",
    "body.blocks.{n}.feedforward.fall": "encoder.layer.{n}.output.dense",
    "body.blocks.{n}.feedforward_norm": "encoder.layer.{n}.output.LayerNorm",
}
_MASKED = Head(
    "masked",
    {
        "ids.rise": "cls.predictions.transform.dense",
        "ids.norm": "cls.predictions.transform.LayerNorm",
        "ids.bias": "cls.predictions.bias",
    },
    twins={"cls.predictions.decoder.weight": "encoder.stem.table.weight", "cls.predictions.decoder.bias": "head.ids.bias"},
)


class Bert(Family):
    """Blocks with the norm behind them, learned positions, token types; its pooler is the hidden layer of a classifier."""

    types = ("bert",)
    prefix = "bert."
    body: ClassVar[Mapping[str, str]] = {
        "stem.table": "embeddings.word_embeddings",
        "body.learned.table": "embeddings.position_embeddings.weight",
        "body.types": "embeddings.token_type_embeddings",
        "body.entry_norm": "embeddings.LayerNorm",
        **BLOCK,
    }
    heads: ClassVar[Mapping[str, Head]] = {
        "BertForMaskedLM": _MASKED,
        "BertForPreTraining": _MASKED,
        "BertForSequenceClassification": Head("classify", {"rise": "pooler.dense", "out": "classifier"}, activation="tanh"),
        "BertForTokenClassification": Head("tag", {"out": "classifier"}),
        "BertModel": Head("embed"),
    }
    ignored = (r"embeddings\.position_ids", r"pooler\..*", r"cls\.seq_relationship\..*")

    def read(self, options: Options) -> Transformer:
        options.only("position_embedding_type", "absolute", default="absolute")
        options.only("is_decoder", False, default=False)
        options.only("add_cross_attention", False, default=False)
        options.only("tie_word_embeddings", True, default=True)
        return Transformer.model_validate(
            {
                "width": options.count("hidden_size", 768),
                "layers": options.count("num_hidden_layers", 12),
                "heads": options.count("num_attention_heads", 12),
                "hidden": options.count("intermediate_size", 3072),
                "feedforward": options.one_of("hidden_act", GELU, "gelu"),
                "norm": "layer",
                "norm_eps": options.real("layer_norm_eps", 1e-12),
                "norm_place": "post",
                "positions": "learned",
                "max_positions": self.positions(options),
                "segment_types": options.count("type_vocab_size", 2),
                "key_bias": True,
                "dropout": options.real("hidden_dropout_prob", 0.1),
            }
        )

    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        demand(body, norm="layer", norm_place="post", positions="learned", bias=True, feedforward=(*ACTIVATIONS,))
        demand(body, kv_heads=(None, body.heads))
        return {
            "model_type": self.types[0],
            "hidden_size": body.width,
            "num_hidden_layers": body.layers,
            "num_attention_heads": body.heads,
            "intermediate_size": body.hidden_width,
            "hidden_act": ACTIVATIONS[body.feedforward],
            "layer_norm_eps": eps_of(body),
            "max_position_embeddings": body.max_positions,
            "type_vocab_size": max(body.segment_types, 1),
            "hidden_dropout_prob": body.dropout,
            "attention_probs_dropout_prob": 0.0,
        }

    def loosen(self, tensors: Tensors, config: Any) -> Tensors:
        """Old folders call the numbers of a norm gamma and beta."""
        old = {".gamma": ".weight", ".beta": ".bias"}
        return {
            next((name.removesuffix(a) + b for a, b in old.items() if name.endswith(a)), name): t for name, t in tensors.items()
        }

    def fasten(self, tensors: Tensors, config: Any) -> Tensors:
        """What their module holds and no answer of ours depends on is zero: token types, and the pooler of a bare encoder."""
        types, table = "embeddings.token_type_embeddings.weight", tensors["embeddings.word_embeddings.weight"]
        width = table.shape[1]
        zeros: Tensors = {types: table.new_zeros(1, width)}
        if config["architectures"][0].endswith("Model"):
            zeros |= {"pooler.dense.weight": table.new_zeros(width, width), "pooler.dense.bias": table.new_zeros(width)}
        return {**zeros, **tensors}
