import copy

import pytest
import torch
from torch import nn

from zhuji.nn.adapters import Adapted, adapt, adapter_parameters, linear_words, merged, norm_parameters


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.ModuleDict({"query": nn.Linear(6, 6), "value": nn.Linear(6, 6, bias=False)})
        self.feedforward = nn.Linear(6, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        mixed = torch.tanh(self.attention["query"](x)) * self.attention["value"](x)
        return self.norm(self.feedforward(mixed))


def net():
    torch.manual_seed(0)
    return Net()


def moved(network):
    """As if training had moved the adapters."""
    for parameter in adapter_parameters(network):
        parameter.data = torch.randn_like(parameter)
    return network


def test_a_new_adapter_changes_no_answer():
    plain, x = net(), torch.randn(5, 6)
    adapted = copy.deepcopy(plain)
    assert adapt(adapted, ["attention", "feedforward"], rank=2, alpha=4) == [
        "attention.query",
        "attention.value",
        "feedforward",
    ]
    assert torch.equal(adapted(x), plain(x))
    assert set(plain.state_dict()) < set(adapted.state_dict())


def test_only_the_layers_that_are_named_get_one():
    network = net()
    assert adapt(network, ["value"], rank=2, alpha=4) == ["attention.value"]
    assert len(adapter_parameters(network)) == 2
    assert adapt(net(), ["valu"], rank=2, alpha=4) == []
    assert linear_words(net()) == ["attention", "feedforward", "query", "value"]
    assert len(norm_parameters(net())) == 2


@pytest.mark.parametrize("alpha", [1.0, 4.0, 16.0])
def test_merged_answers_as_unmerged_and_is_plain_again(alpha):
    network, x = net(), torch.randn(50, 6)
    adapt(network, ["attention", "feedforward"], rank=2, alpha=alpha)
    before = moved(network)(x)
    whole = merged(network)
    assert torch.allclose(whole(x), before, atol=1e-5)
    assert set(whole.state_dict()) == set(net().state_dict())
    assert not any(isinstance(module, Adapted) for module in whole.modules())
    assert any(isinstance(module, Adapted) for module in network.modules()), "the one that was handed in stays as it was"


def test_what_has_no_adapter_is_merged_as_it_is():
    network = net()
    assert merged(network) is network


def test_answers_and_gradients_are_those_of_peft():
    peft = pytest.importorskip("peft")
    ours, x = net(), torch.randn(7, 6)
    theirs = peft.get_peft_model(
        copy.deepcopy(ours),
        peft.LoraConfig(r=3, lora_alpha=12, target_modules=["query", "value", "feedforward"], lora_dropout=0.0),
    )
    names = adapt(ours, ["attention", "feedforward"], rank=3, alpha=12)
    moved(ours)
    for name in names:
        mine, other = ours.get_submodule(name), theirs.base_model.model.get_submodule(name)
        other.lora_A["default"].weight.data.copy_(mine.down.data)
        other.lora_B["default"].weight.data.copy_(mine.up.data)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for name in names:
        mine, other = ours.get_submodule(name), theirs.base_model.model.get_submodule(name)
        assert torch.allclose(mine.down.grad, other.lora_A["default"].weight.grad, rtol=1e-4, atol=1e-5)
        assert torch.allclose(mine.up.grad, other.lora_B["default"].weight.grad, rtol=1e-4, atol=1e-5)
    merged_theirs = theirs.merge_and_unload()
    for name in names:
        assert torch.allclose(merged(ours).get_submodule(name).weight, merged_theirs.get_submodule(name).weight, atol=1e-6)
