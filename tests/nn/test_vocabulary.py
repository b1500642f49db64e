import pytest
import torch
import torch.nn.functional as F

from zhuji.nn import vocabulary
from zhuji.nn.vocabulary import Said, TiedVocabulary, divergence


def made(transform: bool, bias: bool, width: int = 6) -> tuple[TiedVocabulary, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    head = TiedVocabulary(5, width, 7, transform, bias)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    ids = torch.tensor([0, 6, 2, -1, 3, 3, 5, 1, 4])
    return head, torch.randn(9, 5, requires_grad=True), ids, torch.randn(7, width, requires_grad=True)


@pytest.mark.parametrize("transform", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_logits_are_the_formula(transform, bias):
    head, states, _, table = made(transform, bias)
    projected = states @ head.rise.weight.T + head.rise.bias
    if transform:
        projected = F.layer_norm(F.gelu(projected), (6,), eps=1e-12)
    expected = projected @ table.T + (head.bias if bias else 0)
    torch.testing.assert_close(head.logits(states, table), expected)
    assert torch.equal(head.best(states, table), expected.argmax(-1))


def test_equal_widths_need_no_layer():
    assert not list(TiedVocabulary(4, 4, 9).parameters())


@pytest.mark.parametrize("kept", [1 << 20, 0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_in_chunks_are_those_of_one_product(monkeypatch, kept, smoothing):
    head, states, ids, table = made(True, True)
    weights = torch.rand(9)

    def gradients(loss):
        return torch.autograd.grad((loss * weights).sum(), [states, table, *head.parameters()])

    whole = F.cross_entropy(head.logits(states, table), ids, ignore_index=-1, reduction="none", label_smoothing=smoothing)
    monkeypatch.setattr(vocabulary, "_CHUNK", 14)
    monkeypatch.setattr(vocabulary, "_KEPT", kept)
    chunked = head.loss(states, ids, table, smoothing=smoothing)
    torch.testing.assert_close(chunked, whole)
    assert chunked[3] == 0
    for got, expected in zip(gradients(chunked), gradients(whole), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("kept, are_kept", [(1 << 20, True), (0, False)])
def test_many_logits_are_not_kept_for_the_way_back(monkeypatch, kept, are_kept):
    """Nine states in chunks of two: whether anything with a number for each of the seven ids is kept."""
    head, states, ids, table = made(False, False)
    monkeypatch.setattr(vocabulary, "_CHUNK", 14)
    monkeypatch.setattr(vocabulary, "_KEPT", kept)
    for_later: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: for_later.append(t) or t, lambda t: t):
        head.loss(states, ids, table).sum()
    assert any(t.ndim == 2 and t.shape[1] == 7 and t.shape[0] < 3 for t in for_later) == are_kept


def test_no_state_no_loss():
    head, states, ids, table = made(True, True)
    loss = head.loss(states[:0], ids[:0], table)
    loss.sum().backward()
    assert loss.shape == (0,)
    assert not head.rise.weight.grad.any()


def test_the_loss_is_single_precision_whatever_the_states_are():
    head, states, ids, table = made(True, True)
    with torch.autocast("cpu", torch.bfloat16):
        assert head.loss(states, ids, table).dtype == torch.float32


@pytest.mark.parametrize("chunk, kept", [(1 << 22, 1 << 25), (14, 1 << 20), (14, 0)])
def test_the_divergence_is_that_of_whole_distributions_however_it_is_cut(monkeypatch, chunk, kept):
    head, states, _, table = made(True, True)
    other, _, _, other_table = made(False, True, width=5)
    torch.manual_seed(1)
    theirs = torch.randn(9, 5, requires_grad=True)
    mine, wanted = head.logits(states, table) / 3, other.logits(theirs, other_table).detach() / 3
    expected = 9 * (wanted.softmax(-1) * (wanted.log_softmax(-1) - mine.log_softmax(-1))).sum(-1)
    leaves = (states, table, head.bias, head.rise.weight)
    gradients = torch.autograd.grad(expected.sum(), leaves)
    monkeypatch.setattr(vocabulary, "_CHUNK", chunk)
    monkeypatch.setattr(vocabulary, "_KEPT", kept)
    found = divergence(Said(states, head, table), Said(theirs, other, other_table), 3.0)
    torch.testing.assert_close(found, expected)
    for one, two in zip(torch.autograd.grad(found.sum(), leaves, retain_graph=True), gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
    assert torch.autograd.grad(found.sum(), (theirs, other_table), allow_unused=True) == (None, None)
