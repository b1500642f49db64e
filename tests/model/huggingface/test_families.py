"""Which family a config is of."""

import pytest

from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.families import FAMILIES, found
from zhuji.model.huggingface.options import Options


def test_every_type_has_one_family():
    types = [kind for family in FAMILIES for kind in family.types]
    assert len(set(types)) == len(types)


@pytest.mark.parametrize(
    ("config", "architecture"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "BertForMaskedLM"),
        ({"model_type": "bert"}, "BertModel"),
        ({"model_type": "gpt2", "architectures": None}, "GPT2Model"),
        ({"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]}, "XLMRobertaModel"),
    ],
)
def test_known_ones(config, architecture, tmp_path):
    family, name, head = found(Options(config, tmp_path))
    assert name == architecture and family.heads[name] is head


@pytest.mark.parametrize(
    "config",
    [{}, {"model_type": ["bert"]}, {"model_type": "t5"}, {"model_type": "bert", "architectures": ["BertForQuestionAnswering"]},
     {"model_type": "bert", "architectures": {"a": 1}}, {"model_type": "bert", "architectures": [["BertModel"]]}],
)  # fmt: skip
def test_unknown_ones_are_refused(config, tmp_path):
    with pytest.raises(UnreadableModel):
        found(Options(config, tmp_path))
