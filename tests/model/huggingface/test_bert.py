"""BERT's settings and tensors. Logits are compared in tests/parity; parameter counts with the published ones here."""

import pytest
import torch

from tests.model.huggingface.made import folder, states
from zhuji.backbones.transformer import Transformer
from zhuji.core.units import UnitSpec
from zhuji.model.huggingface import read
from zhuji.model.huggingface.bert import Bert
from zhuji.model.huggingface.options import Options
from zhuji.nn.stems import IdStem

POOLER = "with the pooler, a square layer over the first state, which our encoder has no use for"
SHAPES = [
    ("bert-base-uncased", 768, 12, 12, 30522, 109_482_240),
    ("bert-small", 512, 4, 8, 30522, 28_763_648),
    ("bert-mini", 256, 4, 4, 30522, 11_170_560),
    ("all-MiniLM-L6-v2", 384, 6, 12, 30522, 22_713_216),
]
"""Name, width, layers, heads, ids, parameters of its BertModel (Devlin et al. 2019; Turc et al. 2019, table 1; the model cards)."""


def counted(transformer: Transformer, spec: UnitSpec, causal: bool) -> int:
    """Numbers in stem and body, built without memory."""
    with torch.device("meta"):
        parts = IdStem(spec.num_ids, transformer.width), transformer.body(causal)
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


@pytest.mark.parametrize(("name", "width", "layers", "heads", "ids", "parameters"), SHAPES)
def test_parameter_counts_are_the_published_ones(name, width, layers, heads, ids, parameters, tmp_path):
    config = {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * width,
    }  # fmt: skip
    body = Bert().read(Options(config, tmp_path))
    pooler = width * width + width
    assert counted(body, UnitSpec(1, ids), causal=False) + pooler == parameters, POOLER


def test_defaults_are_those_of_the_original(tmp_path):
    body = Bert().read(Options({}, tmp_path))
    assert (body.width, body.layers, body.heads, body.hidden, body.max_positions) == (768, 12, 12, 3072, 512)
    assert (body.feedforward, body.norm_eps, body.segment_types, body.norm_place) == ("gelu", 1e-12, 2, "post")


def test_the_old_names_of_norms_are_read(tmp_path):
    tensor = torch.zeros(2)
    loose = Bert().loosen({"a.LayerNorm.gamma": tensor, "a.LayerNorm.beta": tensor, "a.dense.bias": tensor}, {})
    assert set(loose) == {"a.LayerNorm.weight", "a.LayerNorm.bias", "a.dense.bias"}


def test_what_nobody_asks_for_is_zero_there(tmp_path):
    import safetensors.torch

    tensors = safetensors.torch.load((folder(tmp_path / "there") / "model.safetensors").read_bytes())
    assert not tensors["pooler.dense.weight"].any()
    assert states(read(tmp_path / "there").model).isfinite().all()
