from dataclasses import replace

import pytest
import torch

from tests.contracts.doubles import Cells, Picture
from tests.tasks.test_masked_units import TEXT, TEXTS, batch_of, model_of, scored, steps
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio
from zhuji.modalities.image import Image
from zhuji.model.assembly import assemble, collate
from zhuji.nn.pictures.variation import Variation
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.distill_self import DistillSelf
from zhuji.tasks.triplet import Triplet

MANY = [" ".join(text.split()[i:] + text.split()[:i]) for text in TEXTS for i in range(5)]


def gradients(model, batch, seed=3):
    model.zero_grad()
    torch.manual_seed(seed)
    loss = model.train().loss(batch)
    loss.mean().backward()
    return [loss.total.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize(
    "settings", [{"views": "crop"}, {"views": "delete", "masked": 0.5}, {"objective": "sigmoid", "views": "crop"}]
)
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_the_batch_in_chunks_has_the_same_loss_and_gradients(settings, chunk):
    batch = batch_of(MANY)
    whole, cut = (gradients(model_of(Contrast(chunk=size, width=4, **settings)), batch) for size in (None, chunk))
    for a, b in zip(whole, cut, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.slow
def test_negatives_keep_embeddings_apart_and_without_them_they_collapse():
    class WithoutNegatives(Contrast):
        def loss(self, outputs, batch):
            apart = (outputs["first"] - outputs["second"]).square().sum(1)
            return Ratio(apart.sum(), torch.tensor(len(apart)))

    batch = batch_of(MANY * 2)
    settings = {"views": "delete", "delete": 0.3, "temperature": 0.2, "width": 8}
    with_them, without = model_of(Contrast(**settings)), model_of(WithoutNegatives(**settings))
    before = scored(with_them.eval(), batch)
    apart, fallen = scored(steps(with_them, batch, 80), batch), scored(steps(without, batch, 80), batch)
    assert apart["uniformity"] < before["uniformity"] - 0.3
    assert apart["align_and_spread"] < before["align_and_spread"] - 0.3
    assert apart["view_recall"] > before["view_recall"]
    assert with_them.task.warnings(apart) == []
    assert fallen["spread"] < 0.1 < 0.25 < apart["spread"]
    assert any("collapse" in told for told in without.task.warnings(fallen))


def test_equal_rows_are_no_negatives_of_each_other():
    outputs = model_of(Contrast(views="crop")).outputs(batch_of([TEXTS[0], TEXTS[1], TEXTS[0]]))
    assert outputs["same"].int().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_views_by_dropout_differ_while_training_only():
    model = assemble(TEXT, Transformer(width=16, layers=1, heads=2, dropout=0.2), Contrast())
    batch = batch_of(TEXTS)
    outputs = model.train().outputs(batch)
    assert not torch.equal(outputs["first"], outputs["second"])
    outputs = model.eval().outputs(batch)
    assert torch.equal(outputs["first"], outputs["second"])


@pytest.mark.parametrize("task", [Contrast(), Triplet(views="dropout")], ids=["contrast", "triplet"])
def test_views_by_dropout_are_refused_where_nothing_drops(task):
    still, dropping = (Transformer(width=16, layers=1, heads=2, dropout=rate) for rate in (0.0, 0.1))
    with pytest.raises(ImpossiblePair, match="dropout") as refused:
        assemble(TEXT, still, task)
    assert "views=crop" in str(refused.value.facts["advice"])
    assemble(TEXT, dropping, task)
    assemble(TEXT, still, task.model_copy(update={"views": "halves"}))
    assemble(TEXT, still, Contrast(pairs=True))


TASKS_BY_VARIATION = [Contrast(views="varied"), Triplet(views="varied"), DistillSelf(level="rows", views="varied")]


@pytest.mark.parametrize("task", TASKS_BY_VARIATION, ids=["contrast", "triplet", "distill_self"])
def test_variations_are_compared_where_the_modality_varies(task):
    modality, pictures = Image.example()
    with pytest.raises(ImpossiblePair, match="varied"):
        assemble(modality, Resnet.example(), task)
    varied = modality.with_files(modality.files()).model_copy(update={"variation": Variation(brightness=0.9, contrast=0.9)})
    model = assemble(varied, Resnet.example(), task).train()
    plain = collate(model, varied.encode(pictures), None, 16)
    other = varied.varied(plain, torch.Generator().manual_seed(0)).units
    asked = torch.stack([model.loss(Batch(plain.units, other=view)).mean() for view in (other, plain.units)])
    assert asked[0] != asked[1], "the second view does not count"
    asked[0].backward()
    assert all(p.grad is not None for p in model.encoder.body.parameters() if p.requires_grad)


@pytest.mark.parametrize("views", ["crop", "delete", "halves"])
def test_while_evaluating_the_first_view_is_the_row(views):
    model, batch = model_of(Contrast(views=views, width=6)).eval(), batch_of(TEXTS)
    outputs = model.outputs(batch)
    torch.testing.assert_close(outputs["first"], model.task.embed(model.encoder, model.head, batch.units))
    assert not torch.allclose(outputs["first"], outputs["second"])
    answer = model.task.decode(outputs)[1].answer
    assert answer == outputs["first"][1].tolist() and sum(x * x for x in answer) == pytest.approx(1, rel=1e-5)


def test_pairs_compare_a_record_with_its_target():
    task = Contrast(pairs=True)
    assert task.needs == "target" and Contrast().needs == "nothing"
    records = [
        Record(f"row-{i}", text, target=other) for i, (text, other) in enumerate(zip(TEXTS, reversed(TEXTS), strict=True))
    ]
    model = model_of(task).eval()
    batch = collate(model, TEXT.encode(TEXTS), records, 8)
    outputs = model.outputs(batch)
    torch.testing.assert_close(outputs["second"], outputs["first"].flip(0), rtol=1e-5, atol=1e-6)
    twice = replace(batch, other=collate(model, TEXT.encode([TEXTS[0]] * 4), None, 8).units)
    assert model.outputs(twice)["same"].all(), "equal second halves belong together as well"


def test_temperature_and_bias_are_learned_where_asked():
    def learned(task):
        return {name for name, _ in model_of(task).head.named_parameters()}

    assert learned(Contrast(views="crop")) == set()
    assert learned(Contrast(views="crop", learned=True)) == {"log_scale"}
    assert learned(Contrast(views="crop", objective="sigmoid")) == {"log_scale", "bias"}
    outputs = model_of(Contrast(views="crop", temperature=0.1)).outputs(batch_of(TEXTS))
    assert float(outputs["scale"]) == pytest.approx(10)
    outputs = model_of(Contrast(views="crop", temperature=1e-4, learned=True)).outputs(batch_of(TEXTS))
    assert float(outputs["scale"].detach()) == 100


def test_guessing_hidden_units_is_added_by_its_weight():
    model, batch = model_of(Contrast(views="crop", masked=0.5)).train(), batch_of(TEXTS)
    outputs = model.outputs(batch)
    plain = {name: value for name, value in outputs.items() if not name.startswith("masked")}
    guessed = outputs["masked_loss"].sum() / outputs["masked_terms"].sum()
    difference = model.task.loss(outputs, batch).mean() - model.task.loss(plain, batch).mean()
    torch.testing.assert_close(difference, 0.5 * guessed)
    assert "masked_loss" not in model.eval().outputs(batch)


def test_the_masked_part_keeps_the_grid():
    assert Contrast(masked=0.1).per_unit and not Contrast().per_unit


@pytest.mark.parametrize("objective", ["infonce", "ntxent", "sigmoid"])
def test_every_objective_learns_to_find_the_other_view(objective):
    batch = batch_of(MANY)
    model = model_of(Contrast(objective=objective, views="delete", temperature=0.2))
    torch.manual_seed(0)
    before = float(model.loss(batch).mean().detach())
    torch.manual_seed(0)
    assert float(steps(model, batch, 40).train().loss(batch).mean().detach()) < 0.8 * before


@pytest.mark.parametrize("kind", [Picture, Cells])
@pytest.mark.parametrize("views", ["crop", "delete", "halves"])
def test_pictures_and_tables_have_views_too(kind, views):
    modality, inputs = kind.example()
    rows = modality.encode(inputs)
    grid = tuple(max(row.grid[axis] for row in rows) for axis in range(modality.spec.grid_ndim))
    model = assemble(modality, Transformer(width=8, layers=1, heads=2), Contrast(views=views, masked=0.3)).train()
    loss = model.loss(Batch(modality.collate(rows, grid)))
    loss.mean().backward()
    assert torch.isfinite(loss.total) and int(loss.count) == 4


def test_shares_that_fall_are_refused():
    with pytest.raises(BadSetting, match=in_language("two shares", "两个比例")):
        Contrast.parse({"crop": [0.8, 0.2]})
