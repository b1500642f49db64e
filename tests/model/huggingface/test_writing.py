"""What is written; that `transformers` reads it is tried in tests/parity."""

import json

import pytest
import safetensors.torch
import torch

from tests.model.huggingface.made import BODIES, model, text
from zhuji.backbones.bag import Bag
from zhuji.core.errors import UnwritableModel
from zhuji.model.assembly import assemble
from zhuji.model.huggingface import write
from zhuji.tasks.classify import Classify

NAMES = {
    "bert": "BertModel",
    "roberta": "RobertaModel",
    "distilbert": "DistilBertModel",
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
}


@pytest.mark.parametrize("family", BODIES)
def test_the_family_is_found_by_the_settings(family, tmp_path):
    assert write(model(family), tmp_path / "there") == NAMES[family]
    config = json.loads((tmp_path / "there" / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == (family, [NAMES[family]])


def test_the_vector_for_what_is_hidden_becomes_that_of_the_mask(tmp_path):
    made = model("bert", {"name": "masked_units", "norm_eps": 1e-5})
    write(made, tmp_path / "there")
    tensors = safetensors.torch.load((tmp_path / "there" / "model.safetensors").read_bytes())
    table = tensors["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(table[made.modality.spec.mask], made.head.mask)


@pytest.mark.parametrize(
    ("family", "changes", "told"),
    [
        ("bert", {"positions": "rotary"}, "positions"),
        ("bert", {"norm": "rms"}, "norm"),
        ("bert", {"bias": False}, "bias"),
        ("bert", {"feedforward": "swiglu"}, "feedforward"),
        ("bert", {"kv_heads": 1}, "kv_heads"),
        ("llama", {"positions": "learned"}, "positions"),
        ("gpt2", {"segment_types": 2}, "segment_types"),
    ],
)
def test_the_setting_that_stands_in_the_way_is_named(family, changes, told, tmp_path):
    with pytest.raises(UnwritableModel, match=told):
        write(model(family, **changes), tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_phonemes_have_no_counterpart(tmp_path):
    made = model("bert")
    assembled = assemble(made.modality.model_copy(update={"phonemes": "en-us"}), made.backbone, made.task)
    with pytest.raises(UnwritableModel, match="phonemes"):
        write(assembled, tmp_path / "there")


def test_only_transformers_over_text(tmp_path):
    made = assemble(text(), Bag(width=8), Classify(labels=("a", "b"), counts=(1, 1)))
    with pytest.raises(UnwritableModel, match="bag over text"):
        write(made, tmp_path / "there")
