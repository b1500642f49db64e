"""Everything between the settings of a run and its first step; the same steps lead a resumed run to where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from zhuji.core import lookup
from zhuji.core.config import overlay
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.files import read_json, write_json
from zhuji.core.log import in_language, say
from zhuji.core.records import SPLITS
from zhuji.data.balance import undersampled
from zhuji.data.infer import Roles
from zhuji.data.loader import Loader
from zhuji.data.media import SOUNDS
from zhuji.data.prepare import Prepared, prepare
from zhuji.data.words import counted
from zhuji.model.assembly import Model, Teaching, assemble
from zhuji.training import few_labels, teaching, threads, transfer
from zhuji.training import folder as places
from zhuji.training.checkpoint import Checkpoints
from zhuji.training.material import Material, gather
from zhuji.training.optim import optimiser
from zhuji.training.players import refuse_alone
from zhuji.training.precision import PAYS, Precision, choose
from zhuji.training.run import Run
from zhuji.training.schedule import Timetable, timetable
from zhuji.training.state import State


@dataclass(frozen=True)
class Job:
    """A run that is ready for its next step."""

    run: Run
    folder: Path
    prepared: Prepared
    material: Material
    loader: Loader
    table: Timetable
    state: State
    checkpoints: Checkpoints
    precision: Precision
    device: torch.device
    fresh: bool
    """Nothing of it was trained before."""

    @property
    def model(self) -> Model:
        return self.state.model


def begin(run: Run, folder: Path) -> Job:
    """Prepare data, fit, encode, assemble, choose the precision, write down what is now settled, and load the newest checkpoint if
    there is one.

    Raises what `prepare` and `assemble` raise, BadSetting, and ChangedSinceStart when the run was begun with other data or settings.
    """
    start = read_json(folder / places.START) if (folder / places.START).exists() else None
    origin = transfer.origin(run.start) if run.start is not None and start is None else None
    if origin is not None:
        run = transfer.settled(run, origin)
    if start is not None:
        places.refuse_changes("the settings", places.flat(start["run"]), places.flat(run.plain()), folder)
    device = chosen_device(run.train.device)
    used = threads.use(run.train.threads)
    modality, backbone = lookup.build(Modality, run.modality), lookup.build(Backbone, run.backbone)
    prepared = prepare(run.data, run.seed, task=teaching.asked_of_rows(run.task))
    _tell(prepared, Path(run.data.path).name)
    _refuse_other_inputs(prepared, modality)
    if start is not None:
        places.refuse_changes("the data", start["data"], prepared.fingerprint, folder)
    task = lookup.build(Task, _task(run.task, prepared.roles))
    teaching.refuse_untaught(run, task)
    refuse_alone(task, run.train, taught=run.teacher is not None)
    learned = None if origin is None else origin.modality.files()
    material = _material(run, prepared, modality, task, folder / places.LEARNED, learned=learned)
    if run.teacher is not None:
        run, material = teaching.taught(run, material, folder / places.LESSONS)
    if start is not None:
        places.refuse_changes("the data", {"rows": start["material"]}, {"rows": material.digest()}, folder)
    checkpoints = Checkpoints(folder / places.CHECKPOINTS, run.train.keep)
    saved = checkpoints.newest() if start is not None else None
    model, choice = _model(run, material, backbone, origin, fresh=saved is None).to(device), None
    if saved is None and few_labels.applies(run, origin, material.task, material.rows["train"]):
        others = few_labels.background(run.start, material.modality)
        choice, model = few_labels.chosen(model, material.rows["train"], run.seed, others)
        task, material = few_labels.unfitted(model.task, task), replace(material, task=model.task)
    model.teaching = None if run.teacher is None else Teaching(run.teacher.weight, run.teacher.temperature)
    loader = _loader(run, prepared, material)
    precision = _precision(run, model, loader, material, device)
    run = _resolved(run, precision, device, used, {part.shelf: part.described() for part in (modality, backbone, task)})
    mover = optimiser(run.train.optim, model, transfer.shares(model, run.start), model.task.owner)
    state = State(model, mover, run.train.average)
    if saved is not None:
        state.load(saved.tensors, saved.progress)
    if choice is not None:
        state.progress.stopped = True
        write_json(folder / places.CHOICE, choice.as_dict())
        checkpoints.save(state)
    if start is None:
        _write_start(run, folder, prepared, material, places.environment(used, device))
    elif start["torch"] != torch.__version__:
        say(in_language(f"Begun with torch {start['torch']}, goes on with {torch.__version__}: the last bits may differ.",
                        f"开始时使用 torch {start['torch']}，现为 {torch.__version__}：末位可能不同。"))  # fmt: skip
    table = timetable(run.train, loader)
    return Job(run, folder, prepared, material, loader, table, state, checkpoints, precision, device, saved is None)


def _tell(prepared: Prepared, name: str) -> None:
    """Which column was taken for what, and why; how many rows each split has."""
    say(in_language(f"Data: {name}", f"数据：{name}"))
    for role in ("text", "image", "sound", "target", "label", "group", "time", "split"):
        if role in prepared.roles.reasons:
            say(f"  {role:<6} {prepared.roles.reasons[role]}")
    say("  " + " · ".join(f"{split} {len(prepared.split(split)):,}" for split in SPLITS))
    kind = SOUNDS if prepared.roles.recording else prepared.roles.files
    if kind is not None and (changes := counted(prepared.ledger.changes)):
        say(in_language(f"  {kind.reads}: {changes}", f"  {_READ[kind.reads]}：{changes}"))


_READ = {"texts": "文本", "pictures": "图片", "sounds": "声音"}
"""What inputs are called in Chinese."""


def _refuse_other_inputs(prepared: Prepared, modality: Modality) -> None:
    """Raises ImpossiblePair where the rows are pictures and the model reads texts, and the like."""
    kind = prepared.roles.files
    rows, wanted = "texts" if kind is None else kind.reads, modality.reads
    if rows == wanted:
        return
    rule = in_language(f"the rows are {rows}, the other reads {wanted}", f"数据是{_READ[rows]}，后者读取的是{_READ[wanted]}")
    model = {"pictures": "resnet-20", "sounds": "spoken", "texts": "bag"}[rows]
    option = {"pictures": "--image", "sounds": "--sound", "texts": "--text"}[wanted]
    advice = in_language(
        f"choose a model for {rows}, such as --model {model}, or name the column of {wanted} by {option}",
        f"请选用{_READ[rows]}模型，例如 --model {model}，或用 {option} 指定{_READ[wanted]}列",
    )
    raise ImpossiblePair(
        first=in_language("the data", "数据"), second=modality.called(),
        rule=rule, advice=advice,
    )  # fmt: skip


def chosen_device(asked: str) -> torch.device:
    """The device that `train.device` names; `auto` is a GPU where there is one. Raises BadSetting."""
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError) as error:
        told = _first_line(error)
        rule = in_language(f"must be a device of this machine ({told})", f"必须是本机的设备（「{told}」）")
        raise BadSetting(key="train.device", rule=rule, value=asked) from None
    return torch.device(asked)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _task(asked: Mapping[str, Any], roles: Roles) -> dict[str, Any]:
    """The task that is asked for; `auto` becomes the one that the labels call for: what is said in sounds is transcribed, other pairs are translated. What a recipe then says about the head that pools is
    left out where nothing is pooled."""
    name, kind = asked.get("name", "auto"), roles.kind
    if name == "auto":
        second = "transcribe" if roles.sound else "translate"
        name = {"regress": "regress", "tag": "tag", "pair": second, "detect": "detect"}.get(kind, "classify")
        if name in ("tag", second, "detect"):
            others = ("pool", "hidden", "dropout") if name == "detect" else ("pool", "hidden")
            asked = {key: value for key, value in asked.items() if key not in others}
    settings: dict[str, Any] = {"many": True} if name == "classify" and kind == "classify_many" else {}
    return {**settings, **asked, "name": name}


def _material(
    run: Run, prepared: Prepared, modality: Modality, task: Task, place: Path, *, learned: Mapping[str, bytes] | None
) -> Material:
    """`place`: where a run that was begun keeps what its modality learned; `learned`: what the start's modality has learned."""
    kept = run.start is not None and run.start.head == "kept"
    if kept:
        transfer.refuse_unknown_labels(task, prepared.split("train"))
    if place.exists():
        fitted = {path.name: path.read_bytes() for path in place.iterdir()}
        return gather(prepared, modality, task, run.seed, fitted=fitted, learn_task=not kept, scratch=place.parent)
    material = gather(prepared, modality, task, run.seed, fitted=learned, learn_task=not kept, scratch=place.parent)
    places.write_learned(place.parent, material.modality)
    return material


def _model(run: Run, material: Material, backbone: Backbone, origin: Model | None, fresh: bool) -> Model:
    """The network before its first step, or, of a run whose weights lie in a checkpoint, as it is built."""
    model = assemble(material.modality, backbone, material.task, run.seed)
    if run.start is not None:
        if fresh:
            transfer.take_weights(model, origin or transfer.origin(run.start), run.start)
        transfer.restrict(model, run.start, run.seed)
    return model


def _loader(run: Run, prepared: Prepared, material: Material) -> Loader:
    rows = material.rows["train"]
    sample = undersampled([r.label for r in rows.records], run.seed) if run.data.balance.sample == "under" else None
    return Loader(
        rows.lengths, batch_units=run.train.batch_units, batch_rows=run.train.batch_rows, seed=run.seed, indexes=sample
    )  # fmt: skip


def _precision(run: Run, model: Model, loader: Loader, material: Material, device: torch.device) -> Precision:
    """What `auto` comes to; said only where there was something to choose."""
    batches = (
        [material.rows["train"].batch(plan).to(device) for plan in loader.epoch(0)[:2]] if run.train.precision == "auto" else []
    )
    precision = choose(run.train.precision, model, batches, device)
    say_precision(precision)
    return precision


def say_precision(precision: Precision) -> None:
    """Said only where there was something to choose."""
    if precision.ratio is not None:
        en, zh = (
            f"bf16 ran {precision.ratio:.2f} times as fast as fp32 here",
            f"本机 bf16 的速度为 fp32 的 {precision.ratio:.2f} 倍",
        )
        if precision.name == "fp32" and precision.ratio < PAYS:
            en, zh = f"{en}; it is worth its coarser numbers from {PAYS:g} times on", f"{zh}；达到 {PAYS:g} 倍才值得降低精度"
        elif precision.name == "fp32":
            en, zh = "a pass is too short here to tell whether bf16 is faster", "单次计算太短，无法判断 bf16 是否更快"
        say(in_language(f"Precision: {precision.name} ({en}).", f"精度：{precision.name}（{zh}）。"))


def _resolved(run: Run, precision: Precision, device: torch.device, used: int, parts: Mapping[str, Any]) -> Run:
    """The run with everything that was `auto` settled and every default written out."""
    settled = {"train": {"precision": precision.name, "device": str(device), "threads": used}, **parts}
    return Run.parse(overlay(run.plain(), settled))


def _write_start(run: Run, folder: Path, prepared: Prepared, material: Material, environment: Mapping[str, Any]) -> None:
    """All records of the start; `start.json` last: with it the run counts as begun."""
    digest = material.digest()
    places.write_run(folder, run)
    write_json(folder / "environment.json", environment)
    write_json(folder / "fingerprint.json", {"data": prepared.fingerprint, "run": places.fingerprint(run), "rows": digest})
    write_json(folder / "ledger.json", prepared.ledger.as_dict())
    write_json(folder / "leaks.json", prepared.leaks.as_dict())
    places.write_splits(folder, prepared.records)
    start = {"run": run.plain(), "data": prepared.fingerprint, "material": digest, "torch": torch.__version__}
    write_json(folder / places.START, start)
