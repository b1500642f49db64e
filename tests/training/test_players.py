"""Several players in the one loop, with `doubles.Duel`: against the same moves written out with torch's own optimisers."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch

from tests.contracts import doubles
from tests.contracts.properties import Cell
from zhuji.backbones.bag import Bag
from zhuji.core.errors import BadSetting
from zhuji.core.seed import derive
from zhuji.core.units import Ratio
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify
from zhuji.training import cost, players, precision
from zhuji.training.checkpoint import Checkpoints
from zhuji.training.hooks import Watchers
from zhuji.training.loop import Work, train
from zhuji.training.optim import optimiser
from zhuji.training.precision import Precision
from zhuji.training.run import OptimSettings, TrainSettings
from zhuji.training.schedule import Timetable
from zhuji.training.state import Progress, State

CELL = Cell.of(Text.example(), Bag(width=6), doubles.Duel.example())
PLAYERS = ("critic", "maker")
OPTIM = OptimSettings(name="adamw", lr=0.05, warmup=0, schedule="constant", weight_decay=0.1, clip=0.2)


class Lines(list):
    def see(self, line):
        self.append(dict(line))

    def sync(self):
        pass


def work(folder, steps, optim=OPTIM, **changes):
    settings = TrainSettings(optim=optim, **changes)
    rows = [CELL.batch(slice(start, start + 4)) for start in (0, 2, 4)]
    lines = Lines()
    watchers, table = Watchers([lines]), Timetable(steps, frozenset({steps}))
    shelf = Checkpoints(folder / "checkpoints", 2)
    todo = Work(settings, 3, table, lambda n: rows[n % 3], lambda n: n / 3, lambda model: {}, True, shelf, watchers)
    return todo, lines


def state(optim=OPTIM, average=0.0):
    model = CELL.model(1)
    return State(model, optimiser(optim, model, owner=model.task.owner), average)


def owned(model, player):
    return [p for name, p in model.named_parameters() if model.task.owner(name) == player]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_moves_are_those_of_a_loop_written_out(tmp_path):
    """Nothing is frozen there: gradients that the other player gets are thrown away. Tolerance: products are added up in another order
    where not all gradients are asked for."""
    now, (todo, lines) = state(), work(tmp_path, 6)
    model = copy.deepcopy(now.model).train()
    movers = {
        player: torch.optim.AdamW(
            [{"params": [p for p in owned(model, player) if (p.ndim > 1 and p is not model.encoder.table()) is decayed], "weight_decay": 0.1 * decayed}
             for decayed in (True, False)], lr=0.05, betas=OPTIM.betas, eps=OPTIM.eps,
        ) for player in PLAYERS
    }  # fmt: skip
    expected = []
    for step in range(6):
        told = {}
        for player, mover in movers.items():
            model.zero_grad()
            torch.manual_seed(derive(3, "step", step, player))
            played = CELL.task.plays(player)
            ratio = played.loss(played.outputs(model.encoder, model.head, todo.batch(step)), todo.batch(step))
            mean = ratio.total / ratio.count
            mean.backward()
            torch.nn.utils.clip_grad_norm_(owned(model, player), 0.2)
            mover.step()
            told[player] = mean.item()
        expected.append(told)
    train(todo, now)
    for ours, theirs in zip(now.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert [line["losses"] for line in lines] == [pytest.approx(told, abs=1e-5) for told in expected]
    assert [line["loss"] for line in lines] == [pytest.approx(sum(told.values()), abs=1e-5) for told in expected]


def test_only_who_moves_asks_for_gradients():
    model = CELL.model()
    still = next(iter(owned(model, "critic")))
    still.requires_grad_(False)
    for player, loss in players.moves(model):
        asking = {p for p in model.parameters() if p.requires_grad}
        assert asking == set(owned(model, player)) - {still}
        loss(CELL.batch()).total.backward()
    assert {p for p in model.parameters() if p.requires_grad} == set(model.parameters()) - {still}


def test_weights_ask_again_when_a_move_fails():
    model = CELL.model()
    with pytest.raises(ZeroDivisionError), players.moving(model, "maker"):
        raise ZeroDivisionError
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_stopped_game_goes_on_bit_for_bit(tmp_path, name, average):
    optim = OPTIM.model_copy(update={"name": name})
    straight, (todo, lines) = state(optim, average), work(tmp_path / "straight", 7, optim)
    train(todo, straight)
    first, (todo, _) = state(optim, average), work(tmp_path / "cut", 4, optim)
    train(todo, first)
    saved = Checkpoints(tmp_path / "cut" / "checkpoints", 2).newest()
    second, (todo, more) = state(optim, average), work(tmp_path / "cut", 7, optim)
    second.load(saved.tensors, saved.progress)
    train(todo, second)
    assert same(straight.tensors(), second.tensors())
    slots = {name.partition("|")[0] for name in second.optimiser.tensors()}
    assert {CELL.task.owner(name) for name in slots} == set(PLAYERS), "both have something to remember"
    assert [line["losses"] for line in lines[4:]] == [line["losses"] for line in more]


def test_sums_of_losses_survive_a_stop():
    progress = Progress(losses={"critic": (0.1 + 0.2, 3.0), "maker": (1 / 3, 3.0)})
    assert Progress.from_dict(json.loads(json.dumps(progress.as_dict()))) == Progress(
        losses={"critic": [0.1 + 0.2, 3.0], "maker": [1 / 3, 3.0]}
    )


def test_accumulated_batches_make_the_same_moves(tmp_path):
    ends = []
    for cuts in ([slice(0, 8)], [slice(0, 3), slice(3, 4), slice(4, 8)]):
        now, (todo, _) = state(), work(tmp_path / str(len(cuts)), 1, accumulate=len(cuts))
        batches = [CELL.batch(cut) for cut in cuts]
        todo = replace(todo, batch=lambda n, batches=batches: batches[n])
        draws = torch.manual_seed  # every micro-batch draws anew; here all draw the same, so that only the cut differs
        torch.manual_seed = lambda seed, draws=draws: draws(0)
        try:
            train(todo, now)
        finally:
            torch.manual_seed = draws
        ends.append([p.detach() for p in now.model.parameters()])
        assert now.progress.units == sum(int(batch.units.mask.sum()) for batch in batches), (
            "units are counted once, not once a player"
        )
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def poisoned(model, player, steps):
    """The loss of this player is not a number at some steps."""
    original, seen = model.loss, []

    def loss(batch, player=None):
        ratio = original(batch, player)
        seen.append(player)
        bad = player == target and seen.count(player) - 1 in steps
        return Ratio(ratio.total * float("nan"), ratio.count) if bad else ratio

    target, model.loss = player, loss


@pytest.mark.parametrize("player", PLAYERS)
def test_a_bad_move_changes_nothing_of_its_player_and_the_step_counts_once(tmp_path, player):
    now, (todo, lines) = state(average=0.9), work(tmp_path, 1)
    before = {name: tensor.clone() for name, tensor in now.model.named_parameters()}
    poisoned(now.model, player, {0})
    train(todo, now)
    moved = {name for name, tensor in now.model.named_parameters() if not torch.equal(tensor, before[name])}
    assert {CELL.task.owner(name) for name in moved} == set(PLAYERS) - {player}
    assert now.progress.bad_steps == lines[0]["bad_steps"] == now.progress.step == 1
    assert any(not torch.equal(a, before[name]) for name, a in now.averaged.named_parameters())


def test_both_moves_bad_count_as_one_bad_step_and_change_nothing(tmp_path):
    now, (todo, _) = state(average=0.9), work(tmp_path, 2)
    before = copy.deepcopy(now.tensors())
    for player in PLAYERS:
        poisoned(now.model, player, {0, 1})
    train(todo, now)
    assert same(before, {name: now.tensors()[name] for name in before})
    assert now.progress.bad_steps == 2


@pytest.mark.parametrize("player", PLAYERS)
def test_a_clip_is_each_players_own(tmp_path, player):
    now, (todo, _) = state(), work(tmp_path, 1, OPTIM.model_copy(update={"clip": 0.01}))
    norms, step = {}, now.optimiser.step

    def noted(lr, who):
        norms[who] = torch.nn.utils.get_total_norm([p.grad for p in owned(now.model, who)]).item()
        assert all(p.grad is None for other in PLAYERS if other != who for p in owned(now.model, other))
        step(lr, who)

    now.optimiser.step = noted
    train(todo, now)
    assert norms == pytest.approx(dict.fromkeys(PLAYERS, 0.01), rel=1e-3)


def test_operations_are_those_of_all_moves():
    """Counted player by player too, each with the weights of the other asking for nothing."""
    model, batch = CELL.model(), CELL.batch()
    total = cost.flops(model, batch)
    alone = []
    for player in PLAYERS:
        twin = copy.deepcopy(model)
        twin.loss = lambda batch, player=None, only=player, twin=twin: type(twin).loss(twin, batch, only)
        for p in (p for other in PLAYERS if other != player for p in owned(twin, other)):
            p.requires_grad_(False)
        object.__setattr__(twin, "task", Lone(twin.task))
        alone.append(cost.flops(twin, batch))
    assert total == sum(alone) > max(alone) > 0
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("cell", [CELL, Cell.of(Text.example(), Bag(width=6), Classify.example())], ids=["several", "one"])
def test_counting_operations_disturbs_no_move(tmp_path, cell):
    """Batches are counted as they are taken: between the micro-batches of a step, and never within a move of several players."""
    ends = []
    for counted in (False, True):
        model = cell.model(1)
        now = State(model, optimiser(OPTIM, model, owner=model.task.owner))
        todo, lines = work(tmp_path / str(counted), 2, accumulate=2)
        batches = [
            cell.batch(slice(start, start + 3)) for start in range(4)
        ]  # a grid of its own each, as far as lengths differ
        operations = cost.Operations(model, torch.device("cpu"))
        least = {"least_seconds": lambda batch, operations=operations: operations(batch) / 1e12} if counted else {}
        train(replace(todo, batch=lambda n, batches=batches: batches[n], **least), now)
        ends.append(now.tensors())
        assert ("mfu" in lines[-1]) is counted
    assert same(*ends)


class Lone:
    """The task as if it had one player."""

    def __init__(self, task):
        self.task, self.players = task, ("model",)

    def plays(self, player):
        return self.task.plays(player)


def test_the_probe_of_precision_passes_every_move(monkeypatch):
    model, seen = CELL.model(), []
    original = model.loss
    model.loss = lambda batch, player: (seen.append(player), original(batch, player))[1]
    precision._pass_seconds(Precision("fp32"), model, CELL.batch(), torch.device("cpu"))
    assert tuple(seen) == PLAYERS


def test_one_player_is_the_model():
    model = Cell.of(Text.example(), Bag(width=6), Classify.example()).model()
    assert players.losses(model) == {"model": model.loss}
    with pytest.raises(AssertionError):
        model.task.plays("model")


def test_what_one_player_can_do_alone_is_refused():
    players.refuse_alone(CELL.task, TrainSettings(), taught=False)
    players.refuse_alone(Classify(), TrainSettings(compile=True), taught=True)
    for settings, taught, key in (
        (TrainSettings(compile=True), False, "train.compile"),
        (TrainSettings(), True, "teacher.path"),
    ):
        with pytest.raises(BadSetting, match=key) as caught:
            players.refuse_alone(CELL.task, settings, taught=taught)
        assert "critic, maker" in caught.value.message("zh")
