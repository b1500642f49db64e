"""GPT-2's fused and transposed tensors, and its size."""

import torch

from tests.model.huggingface.test_bert import counted
from zhuji.core.units import UnitSpec
from zhuji.model.huggingface.gpt2 import Gpt2
from zhuji.model.huggingface.options import Options


def test_the_parameter_count_is_the_published_one(tmp_path):
    body = Gpt2().read(Options({}, tmp_path))
    assert counted(body, UnitSpec(1, 50_257), causal=True) == 124_439_808


def test_queries_keys_and_values_are_parted_and_fused_again():
    fused = {"h.0.attn.c_attn.weight": torch.randn(4, 12), "h.0.attn.c_attn.bias": torch.randn(12)}
    other = {"h.0.mlp.c_fc.weight": torch.randn(4, 16), "ln_f.weight": torch.randn(4)}
    loose = Gpt2().loosen({**fused, **other}, {})
    assert loose["h.0.attn.key.weight"].equal(fused["h.0.attn.c_attn.weight"][:, 4:8].T)
    assert loose["h.0.attn.value.bias"].equal(fused["h.0.attn.c_attn.bias"][8:])
    assert loose["h.0.mlp.c_fc.weight"].shape == (16, 4)
    fast = Gpt2().fasten(loose, {})
    assert fast.keys() == {**fused, **other}.keys()
    assert all(torch.equal(fast[name], tensor) for name, tensor in {**fused, **other}.items())
