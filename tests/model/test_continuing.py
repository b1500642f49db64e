import torch

from tests.model.writers import writer
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.wavenet import Wavenet
from zhuji.model.continuing import Continuing, window_of
from zhuji.nn.wavenet import Queues


def test_a_step_reads_one_unit_and_rows_can_be_chosen() -> None:
    model = writer(Wavenet(width=8, skip=8, layers=3, cycles=1))
    rows = Continuing(model, [[5, 6, 7], [9]])
    with torch.no_grad():
        first, context = rows.step(rows.start, rows.context)
        assert isinstance(context.cache, Queues) and context.mask.sum(1).tolist() == [3, 1]
        chosen = context.select(torch.tensor([1, 1]))
        again, after = rows.step(torch.tensor([7, 8]), chosen)
        alone, _ = Continuing(model, [[9, 8]]).step(torch.tensor([8]), Continuing(model, [[9, 8]]).context)
    assert first.shape == again.shape and after.ids.shape == (2, 4)
    torch.testing.assert_close(again[1:], alone, rtol=1e-5, atol=1e-5)


def test_several_ends_are_one() -> None:
    model = writer(wrap="both")
    end, other = model.modality.spec.end, 20
    rows = Continuing(model, [[5, 6]], [end, other])
    one = Continuing(model, [[5, 6]], [end])
    with torch.no_grad():
        both, single = (of.step(of.start, of.context)[0] for of in (rows, one))
    assert both[0, end] == torch.logsumexp(single[0, [end, other]], 0)


def test_only_learned_positions_bound_what_is_looked_back_on() -> None:
    assert window_of(writer(Transformer(width=16, layers=1, heads=2, positions="learned", max_positions=8))) == 8
    assert window_of(writer()) is None
