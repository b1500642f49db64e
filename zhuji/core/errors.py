"""Every error a person can meet, in one tree; each states rule, value, place and fix, in English and Chinese.

    ZhujiError
    ├── UsageError      what was asked for cannot be               exit code 2
    ├── DataError       what was read is not what it should be     exit code 3; of pictures in `core/unreadable.py`
    ├── BundleError     a model folder that cannot be trusted      exit code 4
    ├── RunError        a run that cannot start, go on or resume   exit code 5
    └── ServingError    what a server does not answer              exit code 6; in `core/refusals.py`

A class is one entry of the catalogue: `en` and `zh` hold (rule, fix). `{name}` in them stands for a fact given when raising.
`tests/core/test_errors.py` provokes every entry.
"""

from __future__ import annotations

import importlib
import locale
import os
from functools import partial
from typing import Any, ClassVar

from zhuji.core.log import asked_language

LANGUAGES = ("en", "zh")


def language() -> str:
    """`zh` or `en`: as `speaking` was told, else from ZHUJI_LANG, else from the locale."""
    asked = asked_language() or os.environ.get("ZHUJI_LANG") or locale.getlocale()[0] or os.environ.get("LANG") or "en"
    return "zh" if asked.lower().startswith(("zh", "chinese")) else "en"


_WORDS = {
    "en": {"row": "row {}", "column": "column '{}'", "value": ", but is {} instead", "fix": "Fix: {}", "join": ", "},
    "zh": {"row": "第 {} 行", "column": "列「{}」", "value": "，实际为 {}", "fix": "解决：{}", "join": "，"},
}


def shown(value: object, limit: int = 80) -> str:
    """A value as an error prints it: on one line, quoted if text, cut at `limit` characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class ZhujiError(Exception):
    """Root of the tree. `file`, `row` (1-based), `column` and `value` say where and what; further facts fill the texts."""

    en: ClassVar[tuple[str, str]] = ("{problem}", "")
    zh: ClassVar[tuple[str, str]] = ("{problem}", "")
    exit_code: ClassVar[int] = 1

    def __init__(
        self, *, file: object = None, row: int | None = None, column: str | None = None, value: object = None, **facts: object
    ) -> None:
        self.file = None if file is None else str(file)
        self.row, self.column, self.value, self.facts = row, column, value, facts
        super().__init__(self.message("en"))

    @property
    def code(self) -> str:
        return type(self).__name__

    def message(self, lang: str | None = None) -> str:
        """The whole message: place: rule, but is value instead. Fix: …"""
        lang = lang or language()
        words, (rule, fix) = _WORDS[lang], getattr(self, lang)
        place = [self.file] if self.file else []
        if self.row is not None:
            place.append(words["row"].format(self.row))
        if self.column is not None:
            place.append(words["column"].format(self.column))
        stop = "。" if lang == "zh" else "."
        text = (words["join"].join(place) + ": " if place else "") + rule.format(**self.facts)
        if self.value is not None:
            text += words["value"].format(shown(self.value))
        text = text.rstrip(stop) + stop
        fix = fix.format(**self.facts)
        return f"{text} {words['fix'].format(fix)}" if fix else text

    def __str__(self) -> str:
        return self.message()

    def __reduce__(self) -> tuple[Any, ...]:
        """Between our own processes it travels whole."""
        place = {"file": self.file, "row": self.row, "column": self.column, "value": self.value}
        return partial(type(self), **self.facts, **place), ()

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "error": self.code, "message": self.message(), "file": self.file, "row": self.row,
            "column": self.column, "value": None if self.value is None else shown(self.value),
        }  # fmt: skip


# --------------------------------------------------------------------------------------------------------- usage


class UsageError(ZhujiError):
    exit_code = 2


class UnknownKey(UsageError):
    en = ("a setting must be one of those that exist; '{key}' is not{where}", "did you mean '{nearest}'?")
    zh = ("设置项必须存在；没有「{key}」{where}", "是否想写「{nearest}」？")


class UnknownName(UsageError):
    en = ("there is no {kind} named '{name}'", "choose one of: {choices}")
    zh = ("没有名为「{name}」的{kind}", "可选：{choices}")


class BadSetting(UsageError):
    en = ("setting '{key}' {rule}", "give {key} a value that fits, where you set it (an option, --set or the YAML file)")
    zh = ("设置项「{key}」不合要求：{rule}", "请在设置它的地方（选项、--set 或 YAML 文件）为 {key} 指定合适的值")


class ImpossiblePair(UsageError):
    en = ("{first} and {second} must fit together: {rule}", "{advice}")
    zh = ("{first}与{second}必须相容：{rule}", "{advice}")


class CannotExport(UsageError):
    en = ("format '{format}' must be able to hold the model ({why})", "choose another format: {choices}")
    zh = ("格式「{format}」必须能容纳该模型（{why}）", "请换用其他格式：{choices}")


class CannotExplain(UsageError):
    en = ("an explained answer must be a class, several classes, a number or tags, of an input that can be shown; {kind} '{name}' has none",
          "take a model that was trained to answer so, such as one of zhuji train FILE.csv")  # fmt: skip
    zh = (
        "可解释的回答必须是可展示输入的类别、多个类别、数值或标签；{kind}「{name}」没有这样的回答",
        "请使用能这样回答的模型，例如 zhuji train FILE.csv 训练的模型",
    )


class MissingExtra(UsageError):
    en = ("{what} needs the package '{package}', which must be installed", 'pip install "zhuji[{extra}]"')
    zh = ("{what} 需要安装软件包「{package}」", 'pip install "zhuji[{extra}]"')


# ---------------------------------------------------------------------------------------------------------- data


class DataError(ZhujiError):
    exit_code = 3


class MissingFile(DataError):
    en = ("must be an existing file or folder, but nothing is there", "check the path")
    zh = ("必须是已有的文件或文件夹，但该处没有任何内容", "请检查路径")


class UnreadableFile(DataError):
    en = ("must be readable ({why})", "give this user the right to read it (chmod +r), or copy it elsewhere")
    zh = ("必须可读（{why}）", "请授予读取权限（chmod +r），或复制到别处")


class NotAFile(DataError):
    en = ("must be a regular file or a folder, but is a {kind}", "write its content to a file first")
    zh = ("必须是普通文件或文件夹，但它是{kind}", "请先将内容写入文件")


class EmptyData(DataError):
    en = ("must hold at least one row", "check that this is the right file")
    zh = ("至少要有一行数据", "请确认文件是否正确")


class UnknownFormat(DataError):
    en = ("must be CSV, TSV, JSONL, Parquet or a folder of text files by class ({why})", "rename or convert it")
    zh = ("必须是 CSV、TSV、JSONL、Parquet 或按类别存放文本文件的文件夹（{why}）", "请改名或转换格式")


class NoReadableRow(DataError):
    en = ("at least one row must be readable, but none of the first {rows} is ({causes})",
          "check the file's quotes, delimiter and encoding, or give --set data.delimiter=… or --set data.encoding=…")  # fmt: skip
    zh = (
        "至少要有一行可读的数据，但前 {rows} 行都不可读（{causes}）",
        "请检查引号、分隔符和编码，或设置 --set data.delimiter=…、--set data.encoding=…",
    )


class DamagedFile(DataError):
    en = ("must be a whole {format} file ({why})", "copy or download it again, or write it anew")
    zh = ("必须是完整的 {format} 文件（{why}）", "请重新复制、下载或生成该文件")


class MissingColumn(DataError):
    en = ("the {role} column '{name}' must exist; the columns are: {columns}", "pass --{role} NAME")
    zh = ("{role} 列「{name}」必须存在；现有列：{columns}", "请传入 --{role} 列名")


class NoRole(DataError):
    en = ("a {role} column must be found, but none of these looks like one: {columns}", "pass --{role} NAME")
    zh = ("需要一个 {role} 列，但以下各列都不像：{columns}", "请传入 --{role} 列名")


class DuplicateColumn(DataError):
    en = ("column names must differ, but '{name}' stands {count} times", "rename one of them in the header")
    zh = ("列名不得重复，但「{name}」出现了 {count} 次", "请在表头中改名")


class OneClass(DataError):
    en = ("the label column must hold at least two classes, but all {rows} usable rows are '{label}'",
          "check --label, or add rows of another class")  # fmt: skip
    zh = ("标签列至少要有两个类别，但全部 {rows} 行可用数据都是「{label}」", "请检查 --label，或补充其他类别的数据")


class NotANumber(DataError):
    en = ("the label of a regression must be a finite number", "mend the row, or use the task 'classify'")
    zh = ("回归任务的标签必须是有限的数值", "请修正该行，或改用 classify 任务")


class TooFewRows(DataError):
    en = ("the {split} split must hold at least {needed} rows, but holds {rows}", "add rows, or change the split sizes")
    zh = ("{split} 部分至少要有 {needed} 行，但只有 {rows} 行", "请补充数据，或调整划分比例")


class TooManyDropped(DataError):
    en = ("at most {limit} of the rows may be dropped, but {dropped} of {read} were ({causes})",
          "mend the file, or raise --max-dropped")  # fmt: skip
    zh = ("最多允许丢弃 {limit} 的数据，但 {read} 行中丢弃了 {dropped} 行（{causes}）", "请修正文件，或提高 --max-dropped")


class LeakFound(DataError):
    en = ("no row may stand in two splits, but {rows} do ({kinds})",
          "let Zhuji move them (--leaks move), or keep them knowingly (--leaks allow)")  # fmt: skip
    zh = (
        "同一数据不得出现在两个划分中，但有 {rows} 行如此（{kinds}）",
        "可让筑基移动它们（--leaks move），或明知而保留（--leaks allow）",
    )


class CorpusExists(DataError):
    en = ("a corpus is never overwritten, but something else than this corpus is there",
          "choose another folder with --to, or remove this one")  # fmt: skip
    zh = ("语料不会被覆盖，但该处已有其他内容", "请用 --to 选择另一个文件夹，或删除该文件夹")


class CorpusFormat(DataError):
    en = ("a corpus must be of format {known}", "make it anew with zhuji corpus; a run that holds it must begin anew")
    zh = ("语料的格式版本必须为 {known}", "请用 zhuji corpus 重新生成；含有该语料的运行须重新开始")


class NoCommonRows(DataError):
    en = ("two runs are compared on the rows that both were tested on, but {a} and {b} share none",
          "train both on the same data with the same split")  # fmt: skip
    zh = ("比较两个运行需要两者共同的测试行，但 {a} 与 {b} 没有共同行", "请用同样的数据与划分训练两者")


# -------------------------------------------------------------------------------------------------------- bundle


class BundleError(ZhujiError):
    exit_code = 4


class NotABundle(BundleError):
    en = ("must be a Zhuji bundle or run folder ({why})", "pass the folder that `zhuji train` printed")
    zh = ("必须是筑基的模型包或运行文件夹（{why}）", "请传入 `zhuji train` 打印出的文件夹")


class DamagedBundle(BundleError):
    en = ("a bundle's file must be as it was saved ({why})", "copy the bundle again from where it was made")
    zh = ("模型包中的文件必须与保存时一致（{why}）", "请从来源重新复制模型包")


class UnsafeBundle(BundleError):
    en = ("a bundle may hold only plain files with known names inside its own folder ({why})",
          "do not use this folder; ask whoever made it")  # fmt: skip
    zh = ("模型包只能包含自身文件夹内的已知普通文件（{why}）", "请勿使用该文件夹，并联系制作者")


class UnreadableModel(BundleError):
    en = ("a Hugging Face model must be one that Zhuji follows number for number ({why})",
          "use another model: BERT, RoBERTa, DistilBERT, GPT-2, Llama or sentence-transformers, with safetensors")  # fmt: skip
    zh = (
        "Hugging Face 模型必须是筑基能逐数重现的（{why}）",
        "请换用其他模型：带 safetensors 的 BERT、RoBERTa、DistilBERT、GPT-2、Llama 或 sentence-transformers",
    )


class UnwritableModel(BundleError):
    en = ("a model must be of a family that transformers knows to be written for it ({why})",
          "keep it as a bundle, or train one with such settings")  # fmt: skip
    zh = ("要写成 transformers 格式，模型必须属于其已知的模型族（{why}）", "请保留模型包，或用符合的设置训练模型")


class NewerFormat(BundleError):
    en = ("the bundle's format must be at most {known}", "install a newer zhuji")
    zh = ("模型包的格式版本最高为 {known}", "请安装更新版本的 zhuji")


class AnswersDiffer(BundleError):
    en = ("after the hop '{hop}' a model must answer its golden rows as the trained model did ({why})", "{advice}")
    zh = ("经过「{hop}」之后，模型对黄金样例的回答必须与训练所得模型一致（{why}）", "{advice}")


class NoWeights(BundleError):
    en = ("{what} needs the model's weights, which an exported folder of another format does not hold",
          "use the run or bundle that it was exported from")  # fmt: skip
    zh = ("{what} 需要模型权重，而其他格式的导出文件夹中没有权重", "请使用导出前的运行或模型包")


class WrongModel(BundleError):
    en = (
        "an index must be searched with the model that made it",
        "name that model (--model), or make the index anew with zhuji index",
    )
    zh = ("索引必须用建立它的模型来检索", "请指定该模型（--model），或用 zhuji index 重建索引")


# ----------------------------------------------------------------------------------------------------------- run


class RunError(ZhujiError):
    exit_code = 5


class RunExists(RunError):
    en = ("a run is never overwritten, but this folder is not empty", "choose another --run-dir, or `zhuji resume` it")
    zh = ("运行结果不会被覆盖，但该文件夹非空", "请换一个 --run-dir，或用 `zhuji resume` 继续")


class NothingToResume(RunError):
    en = ("must be a run that was begun ({why})", "start it with `zhuji train`")
    zh = ("必须是已开始的运行（{why}）", "请用 `zhuji train` 开始")


class ChangedSinceStart(RunError):
    en = ("{what} must be as when the run began, but changed: {changes}",
          "restore it, or start a new run")  # fmt: skip
    zh = ("{what}必须与运行开始时一致，但已变化：{changes}", "请恢复原状，或开始新的运行")


class TooManyBadSteps(RunError):
    en = ("at most {limit} steps may have a loss or gradient that is not finite, but {count} had by step {step}",
          "lower train.lr, set train.clip, or set train.precision=fp32")  # fmt: skip
    zh = (
        "损失或梯度非有限值的步数最多 {limit} 次，但到第 {step} 步已有 {count} 次",
        "请降低 train.lr、设置 train.clip 或 train.precision=fp32",
    )


class WontFit(RunError):
    en = ("the run must fit this machine: it would take {needed} of {what}, and {free} are free",
          "{advice}")  # fmt: skip
    zh = ("运行必须能在本机完成：需要 {needed} 的{what}，但只有 {free} 可用", "{advice}")


class NotFinite(RunError):
    en = ("'{what}' must hold finite numbers to be scored, but {rows} of {total} rows do not",
          "the model has diverged: train again with a lower train.lr, or train.precision=fp32")  # fmt: skip
    zh = (
        "「{what}」必须全为有限数值才能评分，但 {total} 行中有 {rows} 行不是",
        "模型已发散：请降低 train.lr 或设置 train.precision=fp32 后重新训练",
    )


class Interrupted(RunError):
    en = ("the run was asked to stop (Ctrl-C) and stopped after step {step}; nothing is lost", "go on with: zhuji resume {run}")
    zh = ("运行应要求（Ctrl-C）在第 {step} 步后停止，没有丢失任何内容", "继续运行：zhuji resume {run}")
    exit_code = 130


class Terminated(RunError):
    en = (
        "the run was asked to stop (SIGTERM) and stopped after step {step}; nothing is lost",
        "go on with: zhuji resume {run}",
    )
    zh = ("运行应要求（SIGTERM）在第 {step} 步后停止，没有丢失任何内容", "继续运行：zhuji resume {run}")
    exit_code = 143


class DiskFull(RunError):
    en = ("the disk must have room for what the run saves ({why}); the last good checkpoint is untouched",
          "free some space, then: zhuji resume {run}")  # fmt: skip
    zh = ("磁盘必须有空间保存运行内容（{why}）；上一个完好的检查点未受影响", "请释放磁盘空间，然后：zhuji resume {run}")


class ScratchFull(RunError):
    en = ("temporary files must have room for what is remembered of the texts ({why})",
          "free some space there, name another folder by TMPDIR, or remember less: corpus.duplicates=exact or keep")  # fmt: skip
    zh = ("临时文件必须有空间记录已读过的文本（{why}）",
          "请在该处释放空间，或用 TMPDIR 指定其他文件夹，或减少记录：corpus.duplicates=exact 或 keep")  # fmt: skip


def catalogue() -> dict[str, type[ZhujiError]]:
    """Every concrete error by its code: the leaves of the tree, sorted."""
    for room in ("refusals", "unreadable"):  # branches that have rooms of their own
        importlib.import_module(f"zhuji.core.{room}")

    def leaves(root: type[ZhujiError]) -> list[type[ZhujiError]]:
        below = root.__subclasses__()
        return [leaf for sub in below for leaf in leaves(sub)] if below else [root]

    return {error.__name__: error for error in sorted(leaves(ZhujiError), key=lambda e: e.__name__)}
