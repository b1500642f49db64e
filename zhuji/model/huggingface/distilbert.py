"""DistilBERT (Sanh et al. 2019): BERT without token types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.backbones.transformer import Transformer
from zhuji.modalities.text import Text
from zhuji.model.huggingface.family import ACTIVATIONS, GELU, Family, Head, demand, unwritable
from zhuji.model.huggingface.options import Options

_EPS = 1e-12


class DistilBert(Family):
    """BERT's blocks under other names; its configuration cannot say what its norms add."""

    types = ("distilbert",)
    prefix = "distilbert."
    body: ClassVar[Mapping[str, str]] = {
        "stem.table": "embeddings.word_embeddings",
        "body.learned.table": "embeddings.position_embeddings.weight",
        "body.entry_norm": "embeddings.LayerNorm",
        "body.blocks.{n}.attention.query": "transformer.layer.{n}.attention.q_lin",
        "body.blocks.{n}.attention.key": "transformer.layer.{n}.attention.k_lin",
        "body.blocks.{n}.attention.value": "transformer.layer.{n}.attention.v_lin",
        "body.blocks.{n}.attention.out": "transformer.layer.{n}.attention.out_lin",
        "body.blocks.{n}.attention_norm": "transformer.layer.{n}.sa_layer_norm",
        "body.blocks.{n}.feedforward.rise": "transformer.layer.{n}.ffn.lin1",
        "body.blocks.{n}.feedforward.fall": "transformer.layer.{n}.ffn.lin2",
        "body.blocks.{n}.feedforward_norm": "transformer.layer.{n}.output_layer_norm",
    }
    heads: ClassVar[Mapping[str, Head]] = {
        "DistilBertForMaskedLM": Head(
            "masked",
            {"ids.rise": "vocab_transform", "ids.norm": "vocab_layer_norm", "ids.bias": "vocab_projector.bias"},
            twins={"vocab_projector.weight": "encoder.stem.table.weight"},
        ),
        "DistilBertForSequenceClassification": Head("classify", {"rise": "pre_classifier", "out": "classifier"}),
        "DistilBertForTokenClassification": Head("tag", {"out": "classifier"}),
        "DistilBertModel": Head("embed"),
    }
    ignored = (r"embeddings\.position_ids",)

    def read(self, options: Options) -> Transformer:
        # Sinusoids are written into the table of positions when such a model is made: to us they are learned ones.
        options.one_of("sinusoidal_pos_embds", {True: True, False: False}, False)
        options.only("tie_word_embeddings", True, default=True)
        return Transformer.model_validate(
            {
                "width": options.count("dim", 768),
                "layers": options.count("n_layers", 6),
                "heads": options.count("n_heads", 12),
                "hidden": options.count("hidden_dim", 3072),
                "feedforward": options.one_of("activation", GELU, "gelu"),
                "norm": "layer",
                "norm_eps": _EPS,
                "norm_place": "post",
                "positions": "learned",
                "max_positions": self.positions(options),
                "key_bias": True,
                "dropout": options.real("dropout", 0.1),
            }
        )

    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        demand(body, norm="layer", norm_place="post", positions="learned", bias=True, feedforward=(*ACTIVATIONS,))
        demand(body, kv_heads=(None, body.heads), segment_types=0, norm_eps=_EPS)
        if text.special.pad is None:
            raise unwritable("distilbert needs an id for padding", "distilbert 需要填充编号")
        return {
            "model_type": self.types[0],
            "dim": body.width,
            "n_layers": body.layers,
            "n_heads": body.heads,
            "hidden_dim": body.hidden_width,
            "activation": ACTIVATIONS[body.feedforward],
            "max_position_embeddings": body.max_positions,
            "sinusoidal_pos_embds": False,
            "dropout": body.dropout,
            "attention_dropout": 0.0,
        }
