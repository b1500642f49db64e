"""Names of tensors, and what a family needs."""

import pytest

from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.model.huggingface.bert import Bert
from zhuji.model.huggingface.family import architecture_of, demand, eps_of, family_of, translated
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.whisper import Whisper


def test_names_of_blocks_and_of_lone_tensors():
    names = Bert().names(2, Bert.heads["BertForMaskedLM"])
    assert translated("encoder.body.blocks.1.feedforward.rise.bias", names) == "encoder.layer.1.intermediate.dense.bias"
    assert translated("encoder.body.learned.table", names) == "embeddings.position_embeddings.weight"
    assert translated("head.ids.bias", names) == "cls.predictions.bias"
    assert translated("encoder.body.blocks.2.feedforward.rise.bias", names) is None


def test_no_two_of_ours_are_one_of_theirs():
    names = Bert().names(3, Bert.heads["BertForSequenceClassification"])
    assert len(set(names.values())) == len(names)


def test_a_demand_names_the_setting():
    demand(Transformer(), norm="rms", positions=("rotary", "none"))
    with pytest.raises(UnwritableModel, match=r"backbone\.norm is rms, and the family needs layer"):
        demand(Transformer(), norm="layer")


def test_what_norms_add_unless_it_is_set():
    assert (eps_of(Transformer()), eps_of(Transformer(norm="layer")), eps_of(Transformer(norm_eps=0.5))) == (1e-6, 1e-5, 0.5)


def test_an_architecture_is_named_or_the_bare_one(tmp_path):
    path = tmp_path / "config.json"
    assert architecture_of(Options({}, path), Whisper().heads) == "WhisperEncoder"
    assert architecture_of(Options({"architectures": ["WhisperModel"]}, path), Whisper().heads) == "WhisperModel"
    for named in (["WhisperForCausalLM"], [3], {"a": 1}):
        with pytest.raises(UnreadableModel, match="WhisperForConditionalGeneration"):
            architecture_of(Options({"architectures": named}, path), Whisper().heads)


def test_a_family_is_found_by_the_type_of_a_model():
    known = (Bert(), Whisper())
    assert family_of(known, {"model_type": "whisper"}) is known[1]
    assert family_of(known, {"model_type": ["bert"]}) is family_of(known, {}) is None
