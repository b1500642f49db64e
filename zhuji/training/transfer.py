"""A run that begins from a trained model: what it takes over, what of it learns and at which rate, and what it leaves.

The modality (with its tokenizer) and the backbone's settings come from the start; the head is new unless it is kept. Sources: layer-wise
rates and gradual unfreezing: Howard & Ruder 2018, sections 3.2 and 3.3; adapters: Hu et al. 2022.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from zhuji.core import lookup
from zhuji.core.config import Part
from zhuji.core.contracts import Backbone, Modality, Reads, Task
from zhuji.core.errors import BadSetting, ChangedSinceStart, NotABundle
from zhuji.core.log import in_language, say
from zhuji.core.records import Record
from zhuji.core.seed import derive
from zhuji.model import bundle
from zhuji.model.assembly import Model
from zhuji.model.bundle import open_bundle
from zhuji.model.predictor import Predictor
from zhuji.model.safety import read_bytes
from zhuji.nn.adapters import adapt, adapter_parameters, linear_words, norm_parameters
from zhuji.training.run import Plan, StartSettings

Started = TypeVar("Started", bound=Plan)

FREE = {"modality": {"max_units", "size", "variation"}, "backbone": {"dropout", "unit_dropout", "row_dropout"}}
"""Settings that change no weight's shape or meaning, and so may be others than the start's."""


def open_model(path: str) -> Predictor:
    """A bundle, a run folder, a Hugging Face folder, or `hf:NAME`. Raises what opening these raises (`BundleError`s)."""
    from zhuji.model import huggingface

    folder, theirs = _found(path)
    return huggingface.read(folder) if theirs else open_bundle(folder)


def reads(path: str) -> Reads:
    """What the model there reads, known without opening it. Raises NotABundle, and what reading its config.json raises."""
    from zhuji.model import huggingface

    folder, theirs = _found(path)
    if theirs:
        return huggingface.reads(folder)
    file = bundle.bundle_folder(folder) / bundle.CONFIG
    if not file.is_file():
        raise NotABundle(file=file.parent, why=in_language(f"there is no {bundle.CONFIG}", f"没有 {bundle.CONFIG}"))
    config = bundle.config_of(read_bytes(file, bundle.LIMITS[bundle.CONFIG]), file)
    return bundle.guarded(file, lambda: lookup.build(Modality, config.modality).reads)  # type: ignore[type-abstract]


def _found(path: str) -> tuple[Path, bool]:
    """Its folder, and whether it is one of Hugging Face."""
    from zhuji.model import huggingface

    if path.startswith("hf:"):
        return huggingface.fetch(path), True
    return Path(path), huggingface.looks_like(path)


def absolute(path: str) -> str:
    """The path as it can be found from anywhere."""
    return path if path.startswith("hf:") else str(Path(path).absolute())


def digest(model: Model) -> str:
    """SHA-256 of weights, parts and what the modality learned: the same for the same model, however it is stored."""
    parts = [part.described() for part in (model.modality, model.backbone, model.task)]
    found = hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode())
    for name, content in sorted(model.modality.files().items()):
        found.update(name.encode() + content)
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def origin(start: StartSettings) -> Model:
    """The model that a run begins from. Raises what `open_model` raises, and ChangedSinceStart where `start.hash` is another one."""
    model = open_model(start.path).model
    if start.hash and digest(model) != start.hash:
        changes = in_language("its weights or parts", "其权重或部件")
        raise ChangedSinceStart(file=start.path, what=in_language("the start", "起点模型"), changes=changes)
    return model


# ------------------------------------------------------------------------------------------------------- settings


def settled(run: Started, model: Model) -> Started:
    """The run with modality and backbone of the start, and with its hash. Raises BadSetting where a setting given by hand contradicts."""
    assert run.start is not None
    parts = {
        "modality": _agreed(Modality, run.modality, model.modality),  # type: ignore[type-abstract]
        "backbone": _agreed(Backbone, run.backbone, model.backbone),  # type: ignore[type-abstract]
    }
    _refuse_too_long(parts["modality"], parts["backbone"])
    task = kept_task(run, model) if run.start.head == "kept" else run.task
    return type(run).parse({**run.plain(), **parts, "task": task, "start": {**run.start.plain(), "hash": digest(model)}})


def _agreed(kind: type[Part], given: Mapping[str, Any], start: Part) -> dict[str, Any]:
    theirs = start.described()
    if given.get("name", start.name()) != start.name():
        raise _contradiction(f"{kind.shelf}.name", theirs["name"], given["name"])
    wanted = lookup.build(kind, {**theirs, **given}).described()
    for key in given:
        if wanted[key] != theirs[key] and key not in FREE[kind.shelf]:
            raise _contradiction(f"{kind.shelf}.{key}", theirs[key], given[key])
    return wanted


def _contradiction(key: str, theirs: Any, value: Any) -> BadSetting:
    rule = in_language(f"must be as in the model that is started from ({theirs}), or be left out",
                       f"必须与起点模型一致（{theirs}），或不设置")  # fmt: skip
    return BadSetting(key=key, rule=rule, value=value)


def _refuse_too_long(modality: Mapping[str, Any], backbone: Mapping[str, Any]) -> None:
    """Learned positions end; units beyond would all stand at the last one, patches of a picture at its edge."""
    most = most_positions(backbone)
    asked = modality.get("max_units", 0)
    if most is not None and asked > most:
        rule = in_language(f"must be at most {most}: so many positions were learned", f"最多为 {most}：只学习了这么多位置")
        raise BadSetting(key="modality.max_units", rule=rule, value=asked)
    places = backbone.get("grid") if backbone.get("positions") == "learned" else None
    cells = lookup.build(Modality, modality).grid
    if places is not None and cells is not None and any(side > known for side, known in zip(cells, places, strict=True)):
        shown = " × ".join(map(str, places))
        rule = in_language(
            f"must give at most {shown} patches: so many places were learned", f"最多给出 {shown} 个图块：只学习了这么多位置"
        )
        raise BadSetting(key="modality.size", rule=rule, value=modality.get("size"))


def most_positions(backbone: Mapping[str, Any]) -> int | None:
    """How many units a backbone of these settings can tell apart; None: any number."""
    return backbone.get("max_positions") if backbone.get("positions") == "learned" else None


def kept_task(run: Plan, model: Model) -> dict[str, Any]:
    """The start's own task, with what it learned and the settings given by hand. Raises BadSetting where another one is asked for."""
    asked, theirs = run.task, model.task
    if asked.get("name", "auto") not in ("auto", theirs.name()):
        rule = in_language(f"can be kept for its own task ({theirs.name()}) only", f"只能用于它自己的任务（{theirs.name()}）")
        raise BadSetting(key="start.head", rule=rule, value=asked["name"])
    return {**theirs.described(), **asked, "name": theirs.name()}


def refuse_unknown_labels(task: Task, records: Sequence[Record]) -> None:
    """A head that is kept must know every class of the training split. Raises BadSetting."""
    unknown = {*task.fit(records).plain().get("labels", ())} - {*task.plain().get("labels", ())}
    if unknown:
        rule = in_language("can be kept only where it knows every class of the training rows; it does not know",
                           "只有认识训练数据中的所有类别时才能保留；它不认识")  # fmt: skip
        raise BadSetting(key="start.head", rule=rule, value=", ".join(sorted(unknown)[:5]))


# --------------------------------------------------------------------------------------------------------- weights


def take_weights(model: Model, start: Model, settings: StartSettings) -> None:
    """Stem and body as in the start, and the head if it is kept. Raises BadSetting where a kept head has another shape."""
    for part in ("stem", "body"):
        getattr(model.encoder, part).load_state_dict(getattr(start.encoder, part).state_dict())
    if model.encoder.follower is not None:
        for part in ("stem", "body"):
            model.encoder.follower[part].load_state_dict(getattr(start.encoder, part).state_dict())
    if start.task.causal and not model.task.causal:
        say(in_language("The start has learned to look at earlier units only; here its units see both sides.",
                        "起点模型只学过看前文；此处各单元可以看到两侧。"))  # fmt: skip
    if settings.head == "kept":
        shapes = [{name: tensor.shape for name, tensor in m.head.state_dict().items()} for m in (model, start)]
        if shapes[0] != shapes[1]:
            rule = in_language(
                "cannot be kept: the task's settings ask for one of another shape", "无法保留：任务设置要求另一种形状"
            )
            raise BadSetting(key="start.head", rule=rule, value="kept")
        model.head.load_state_dict(start.head.state_dict())


def restrict(model: Model, settings: StartSettings, seed: int) -> None:
    """Freeze what does not learn, and put adapters in, drawn from `seed`. Raises BadSetting where no layer can be adapted."""
    if settings.mode == "full":
        return
    if settings.mode == "frozen" and model.task.by_dropout:
        rule = in_language("must be crop, delete or halves where the encoder is frozen: its dropout is off and both views are equal",
                           "在编码器冻结时必须为 crop、delete 或 halves：其 dropout 已关闭，两个视图相同")  # fmt: skip
        raise BadSetting(key="task.views", rule=rule, value="dropout")
    model.encoder.requires_grad_(False)
    if settings.mode == "lora":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "adapters"))
            words = linear_words(model.encoder)
            if not adapt(model.encoder, settings.targets, settings.rank, settings.alpha):
                rule = in_language(f"must name linear layers of this backbone ({', '.join(words)})",
                                   f"必须指明该骨干网络的线性层（{', '.join(words)}）")  # fmt: skip
                raise BadSetting(key="start.targets", rule=rule, value=", ".join(settings.targets))
        for parameter in (*adapter_parameters(model.encoder), *_besides(model.encoder, settings.besides)):
            parameter.requires_grad_(True)


def _besides(network: nn.Module, kinds: Sequence[str]) -> list[nn.Parameter]:
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    return [*(norm_parameters(network) if "norms" in kinds else ()), *(biases if "biases" in kinds else ())]


def depths(model: Model) -> dict[str, int]:
    """By parameter of the encoder, how many stages below the head it stands: 1 for the last stage."""
    stages = model.backbone.stages(model.encoder.body)
    of = {parameter: len(stages) - i for i, stage in enumerate(stages) for parameter in stage.parameters()}
    own = [
        (f"encoder.{part}.{name}", p)
        for part in ("stem", "body")
        for name, p in getattr(model.encoder, part).named_parameters()
    ]
    return {name: of.get(parameter, len(stages)) for name, parameter in own}


def shares(model: Model, settings: StartSettings | None) -> dict[str, float]:
    """By parameter, its share of the rate."""
    if settings is None or settings.layer_decay == 1:
        return {}
    return {name: settings.layer_decay**depth for name, depth in depths(model).items()}


def thawing(settings: StartSettings | None, epoch: Callable[[int], float]) -> Callable[[Model, int], None]:
    """What is to be done before each step: at first the head learns alone, then, every `thaw` epochs, one stage more. `epoch` of a step."""
    if settings is None or not settings.thaw:
        return lambda model, step: None
    after = settings.thaw

    def thaw(model: Model, step: int) -> None:
        warm = int(epoch(step) / after)
        learning = {name: depth <= warm for name, depth in depths(model).items()}
        parameters = dict(model.named_parameters())
        if any(parameters[name].requires_grad != learns for name, learns in learning.items()):
            for name, learns in learning.items():
                parameters[name].requires_grad_(learns)
            model.train()

    return thaw


# ------------------------------------------------------------------------------------------------------------- end


def about(model: Model, settings: StartSettings | None) -> dict[str, Any]:
    """What `results.json` says of the start: path, mode, hash, and how many parameters learned (`model` still has its adapters)."""
    if settings is None:
        return {}
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"start": {"path": settings.path, "mode": settings.mode, "hash": settings.hash, "learned": learned}}
