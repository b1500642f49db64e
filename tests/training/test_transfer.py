"""Runs that begin from a trained model: what moves, what must not, and what is left."""

import json
import shutil
from contextlib import nullcontext

import pytest
import torch

from tests.serving import house, made
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.vit import Vit
from zhuji.core.config import overlay
from zhuji.core.errors import AnswersDiffer, BadSetting, ChangedSinceStart, DamagedBundle, Interrupted, NotABundle, UnsafeBundle
from zhuji.core.files import read_json
from zhuji.modalities.image import Image
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.bundle import CONFIG, open_bundle
from zhuji.model.parity import Parity
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast
from zhuji.training import finish, loop, transfer
from zhuji.training import folder as places
from zhuji.training.begin import begin
from zhuji.training.fit import fit, resume
from zhuji.training.run import Run, StartSettings, compose

SHAPE = {"name": "transformer", "width": 16, "layers": 2, "heads": 2, "hidden": 24, "dropout": 0.1}
QUICK = {"batch_rows": 16, "precision": "fp32", "threads": 1, "rehearse": False, "steps": 12}


@pytest.fixture(scope="module")
def first(reviews, tmp_path_factory):
    """A small trained transformer."""
    run = compose(
        {"data": {"path": str(reviews), "near": 0}, "backbone": SHAPE, "train": {**QUICK, "optim": {"lr": 5e-3}},
         "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2}}
    )  # fmt: skip
    return fit(run, tmp_path_factory.mktemp("first") / "run", progress=False).run


@pytest.fixture
def from_first(first, reviews):
    """A function from `--set` pairs to a run that starts from that transformer."""

    def make(*sets, **start):
        layer = {
            "data": {"path": str(reviews), "near": 0}, "start": {"path": str(first), "choose": "off", **start}, "train": QUICK,
            "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2},
        }  # fmt: skip
        return compose(layer, sets=sets)

    return make


def encoder(path):
    return {f"{name}": tensor for name, tensor in open_bundle(path).model.encoder.state_dict().items()}


def same_bits(a, b):
    return all(torch.equal(a[name].view(torch.int32), b[name].view(torch.int32)) for name in a)


def test_weights_tokenizer_and_shape_come_from_the_start(from_first, first, tmp_path):
    job = begin(from_first(), tmp_path / "run")
    assert same_bits(encoder(first), dict(job.model.encoder.state_dict()))
    assert job.model.modality.files() == open_bundle(first).model.modality.files()
    assert {**job.run.backbone} == open_bundle(first).model.backbone.described()
    assert not torch.equal(job.model.head.out.weight, open_bundle(first).model.head.out.weight)
    assert job.run.start.hash == transfer.digest(open_bundle(first).model) != ""


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (["backbone.width=32"], "backbone.width"), (["backbone.name=bag"], "backbone.name"),
        (["modality.tokenizer=bpe"], "modality.tokenizer"), (["modality.lowercase=false", "modality.max_units=9"], "modality.lowercase"),
    ],
)  # fmt: skip
def test_settings_that_contradict_the_start_are_refused(from_first, tmp_path, sets, key):
    with pytest.raises(BadSetting, match=key):
        fit(from_first(*sets), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_settings_that_repeat_the_start_or_change_no_weight_are_taken(from_first, tmp_path):
    job = begin(from_first("backbone.width=16", "modality.max_units=7", "backbone.dropout=0.3"), tmp_path / "run")
    assert (job.model.modality.max_units, job.model.backbone.dropout) == (7, 0.3)
    assert job.material.rows["train"].lengths.max() == 7


def test_more_units_than_learned_positions_are_refused(from_first, first):
    model = open_bundle(first).model
    model.backbone = type(model.backbone).parse({**model.backbone.plain(), "positions": "learned", "max_positions": 512})
    assert transfer.settled(from_first("modality.max_units=512"), model).modality["max_units"] == 512
    with pytest.raises(BadSetting, match="at most 512"):
        transfer.settled(from_first("modality.max_units=513"), model)


def test_what_a_bundle_reads_is_told_by_its_settings_alone(tmp_path):
    assert transfer.reads(str(made.listener())) == "sounds" and transfer.reads(str(house.bundle())) == "texts"
    (tmp_path / CONFIG).write_bytes((made.listener() / CONFIG).read_bytes().replace(b'"speech"', b'"spech"'))
    with pytest.raises(DamagedBundle):
        transfer.reads(str(tmp_path))
    (tmp_path / CONFIG).unlink()
    with pytest.raises(NotABundle):
        transfer.reads(str(tmp_path))


def test_a_start_that_is_none_and_a_word_that_is_no_layer_are_refused(from_first, tmp_path):
    for work in (transfer.reads, transfer.open_model):
        with pytest.raises(NotABundle):
            work(str(tmp_path / "nothing"))
    with pytest.raises(NotABundle):
        begin(from_first(path=str(tmp_path / "nothing")), tmp_path / "a")
    with pytest.raises(BadSetting, match=r"attention.*feedforward"):
        begin(from_first(mode="lora", targets=("attend",)), tmp_path / "b")
    with pytest.raises(BadSetting, match="thaw"):
        from_first(mode="frozen", thaw=1)


@pytest.mark.parametrize("name", ["adamw", "momentum", "muon"])
def test_a_frozen_encoder_never_moves_by_one_bit(from_first, first, tmp_path, name):
    sets = (f"train.optim.name={name}", "train.optim.weight_decay=0.5", "train.average=0.9", "train.optim.lr=0.05")
    result = fit(from_first(*sets, mode="frozen"), tmp_path / "run", progress=False)
    assert same_bits(encoder(first), encoder(result.bundle))
    assert not torch.equal(open_bundle(first).model.head.out.weight, open_bundle(result.bundle).model.head.out.weight)
    saved = begin(places.read_run(result.run), result.run)
    assert not any(name.startswith("optimiser/encoder") for name in saved.state.tensors())
    assert result.facts["start"]["learned"] == 16 * 2 + 2


def test_a_frozen_encoder_has_no_dropout_and_a_learning_one_has(from_first, tmp_path):
    for mode, same in (("frozen", True), ("full", False)):
        job = begin(from_first(mode=mode), tmp_path / mode)
        job.model.train()
        units = job.material.rows["train"].batch(job.loader.plan(0)).units
        assert torch.equal(job.model.encoder(units).states, job.model.encoder(units).states) is same
        assert job.model.head.training


def test_lora_moves_only_adapters_and_head_and_leaves_a_plain_bundle(from_first, first, tmp_path):
    run = from_first("train.optim.lr=0.01", "train.average=0.9", mode="lora", rank=2)
    result = fit(run, tmp_path / "run", progress=False)
    job = begin(places.read_run(result.run), result.run)
    before = encoder(first)
    for model in (job.state.model, job.state.averaged):
        now = model.encoder.state_dict()
        assert same_bits(before, now)
        assert any(tensor.abs().sum() > 0 for name, tensor in now.items() if name.endswith(".up"))
    after = encoder(result.bundle)
    assert set(after) == set(before)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in before if ("attention." in name or "feedforward." in name) and name.endswith("weight")}
    assert result.facts["model"]["parts"]["body"] == sum(t.numel() for name, t in before.items() if name.startswith("body"))


def test_norms_and_biases_learn_beside_adapters_only_if_said(from_first, tmp_path):
    def learning(besides):
        model = begin(from_first(mode="lora", besides=besides), tmp_path / str(besides)).model
        return {name for name, p in model.encoder.named_parameters() if p.requires_grad and not name.endswith((".up", ".down"))}

    assert learning(()) == set()
    assert all(name.endswith("bias") for name in learning(("biases",)))
    norms = learning(("norms",))
    assert norms
    assert all("norm" in name for name in norms)


def test_a_merge_that_changes_answers_is_refused_and_kept_aside(from_first, tmp_path, monkeypatch):
    original = finish.merged

    def broken(model):
        other = original(model)
        other.encoder.body.blocks[0].attention.query.weight.data += 1e-1
        return other

    monkeypatch.setattr(finish, "merged", broken)
    with pytest.raises(AnswersDiffer, match="merge"):
        fit(from_first(mode="lora"), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "bundle").exists() and not (tmp_path / "run" / "results.json").exists()
    told = read_json(tmp_path / "run" / "bundle.refused" / "refused.json")
    assert told["name"] == "merge" and told["differing"] and not told["passed"]
    with pytest.raises(UnsafeBundle, match=r"refused\.json"):
        open_bundle(tmp_path / "run" / "bundle.refused")


def test_the_hops_of_a_run_with_adapters_are_told_in_order(from_first, tmp_path):
    run = fit(from_first(mode="lora"), tmp_path / "run", progress=False).run
    assert [(hop.name, hop.passed, hop.flips) for hop in Parity.read(run).hops] == [("merge", True, 0), ("reload", True, 0)]


def test_each_stage_learns_at_its_share_of_the_rate(from_first, tmp_path):
    job = begin(from_first(layer_decay=0.5), tmp_path / "run")
    shares = transfer.shares(job.model, job.run.start)
    assert shares["encoder.body.blocks.1.attention.query.weight"] == shares["encoder.body.norm.weight"] == 0.5
    assert shares["encoder.body.blocks.0.attention.query.weight"] == 0.25
    assert shares["encoder.stem.table.weight"] == 0.125
    assert not any(name.startswith("head") for name in shares)
    assert {group["share"] for part in job.state.optimiser.parts for group in part.param_groups} == {1.0, 0.5, 0.25, 0.125}
    assert transfer.shares(job.model, StartSettings(path="x")) == transfer.shares(job.model, None) == {}


def test_stages_thaw_from_the_top_and_stand_still_before(from_first, first, tmp_path):
    job = begin(from_first(thaw=2), tmp_path / "run")
    thaw = transfer.thawing(job.run.start, float)  # one step an epoch
    learning = []
    for step in range(8):
        thaw(job.model, step)
        parameters = job.model.named_parameters()
        learning.append(
            sorted({name.split(".blocks.")[-1][:1] for name, p in parameters if p.requires_grad and ".blocks." in name})
        )
    assert learning == [[], [], ["1"], ["1"], ["0", "1"], ["0", "1"], ["0", "1"], ["0", "1"]]
    assert all(p.requires_grad for p in job.model.parameters())
    result = fit(from_first(thaw=100, layer_decay=0.9), tmp_path / "still", progress=False)
    assert same_bits(encoder(first), encoder(result.bundle))
    result = fit(from_first("train.optim.weight_decay=0.5", thaw=0.5), tmp_path / "some", progress=False)
    moved = {name for name, tensor in encoder(result.bundle).items() if not torch.equal(tensor, encoder(first)[name])}
    assert moved
    assert all(name.startswith(("body.blocks.1", "body.norm")) for name in moved), "12 of 14 steps: one stage has thawed"


@pytest.mark.parametrize("start", [{"mode": "lora", "rank": 2}, {"thaw": 0.25, "layer_decay": 0.5}, {"mode": "frozen"}])
def test_a_run_goes_on_bit_for_bit_without_its_start(from_first, first, tmp_path, monkeypatch, start):
    moved = tmp_path / "start"
    shutil.copytree(first, moved)
    sets = ("train.checkpoint_seconds=0", "train.average=0.5", "train.optim.lr=0.01")
    whole = fit(from_first(*sets, **start, path=str(moved)), tmp_path / "whole", progress=False)
    original = loop._gradients

    def stop(work, state, *rest):
        if state.progress.step == 7:
            raise KeyboardInterrupt
        return original(work, state, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_gradients", stop)
        with pytest.raises((KeyboardInterrupt, Interrupted)):
            fit(from_first(*sets, **start, path=str(moved)), tmp_path / "cut", progress=False)
    shutil.rmtree(moved)
    resumed = resume(tmp_path / "cut", progress=False)
    assert (resumed.bundle / "model.safetensors").read_bytes() == (whole.bundle / "model.safetensors").read_bytes()


def test_a_start_that_changed_before_the_first_checkpoint_is_refused(from_first, first, tmp_path):
    job = begin(from_first(), tmp_path / "run")
    other = Run.parse(overlay(job.run.plain(), {"start": {"hash": "0" * 64}}))
    start = read_json(tmp_path / "run" / "start.json")
    (tmp_path / "run" / "start.json").write_text(json.dumps({**start, "run": other.plain()}))
    with pytest.raises(ChangedSinceStart):
        begin(other, tmp_path / "run")


def test_a_kept_head_goes_on_where_it_was(from_first, first, reviews, tmp_path):
    job = begin(from_first(head="kept"), tmp_path / "run")
    theirs = open_bundle(first).model
    assert torch.equal(job.model.head.out.weight, theirs.head.out.weight)
    assert job.model.task == theirs.task
    again = begin(places.read_run(tmp_path / "run"), tmp_path / "run")
    assert again.model.task == theirs.task
    with pytest.raises(BadSetting, match=r"start\.head"):
        begin(from_first("task.name=regress", head="kept"), tmp_path / "b")
    with pytest.raises(BadSetting, match=r"start\.head"):
        begin(from_first("task.hidden=5", head="kept"), tmp_path / "c")
    strange = tmp_path / "strange.csv"
    strange.write_text(reviews.read_text().replace(",no\n", ",never\n"))
    with pytest.raises(BadSetting, match="never"):
        begin(from_first(f"data.path={strange}", head="kept"), tmp_path / "d")


def test_a_frozen_encoder_has_no_dropout_to_tell_views_apart():
    model = assemble(Text.example()[0], Transformer(width=8, layers=1, heads=2, dropout=0.1), Contrast())
    with pytest.raises(BadSetting, match=r"task\.views"):
        transfer.restrict(model, StartSettings(path="some", mode="frozen"), 0)


@pytest.mark.parametrize(("size", "fits"), [([4, 4], True), ([4, 2], True), ([8, 4], False)])
def test_pictures_may_have_another_size_within_the_learned_places(size, fits):
    modality = Image(size=(4, 4), patch=2, channels=1).normalising([0.5], [0.5])
    start = assemble(modality, Vit(width=8, layers=1, heads=2, grid=(2, 2)), Classify(labels=("a", "b"), counts=(1, 1)))
    run = compose({"data": {"path": "x"}, "start": {"path": "y"}, "modality": {"size": size}})
    with nullcontext() if fits else pytest.raises(BadSetting, match=r"modality.size.*2 × 2 patches"):
        assert transfer.settled(run, start).modality["size"] == size
