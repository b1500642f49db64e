"""Llama's rotation, windows and biases."""

import pytest

from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.llama import Llama
from zhuji.model.huggingface.options import Options


def read(folder, **config):
    return Llama().read(Options({"model_type": "llama", "num_key_value_heads": 8, **config}, folder))


def test_the_base_of_the_rotation_stands_in_one_of_two_places(tmp_path):
    assert read(tmp_path, rope_theta=5e5).rotary_base == 5e5
    assert read(tmp_path, rope_parameters={"rope_type": "default", "rope_theta": 7e5}).rotary_base == 7e5
    assert read(tmp_path).rotary_base == 10_000


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling"),
        ({"rope_scaling": "linear"}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"sliding_window": 4096}, "sliding_window"),
        ({"model_type": "mistral"}, "sliding_window"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "use_sliding_window"),
        ({"layer_types": ["sliding_attention"] * 32}, "layer_types"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"head_dim": 64}, "head_dim"),
    ],
)
def test_what_turns_or_sees_otherwise_is_refused_by_name(config, told, tmp_path):
    with pytest.raises(UnreadableModel, match=told):
        read(tmp_path, **config)


def test_biases(tmp_path):
    assert not read(tmp_path).bias
    assert read(tmp_path, attention_bias=True).key_bias
    assert read(tmp_path, model_type="qwen2").bias
    assert (read(tmp_path).kv_heads, read(tmp_path, num_key_value_heads=None).kv_heads) == (8, 32)
