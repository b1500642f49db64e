"""Pictures and sounds that cannot be read, texts that cannot be said, and where none can be written: their part of the catalogue (`core/errors.py`)."""

from __future__ import annotations

from typing import Any

from zhuji.core.errors import DataError, RunError


class MediumError(DataError):
    """`cause`: the name under which a ledger counts it."""

    def __init__(self, *, cause: str, **facts: Any) -> None:
        self.cause = cause
        super().__init__(**facts)

    def __reduce__(self) -> tuple[Any, ...]:
        make, nothing = super().__reduce__()
        make.keywords["cause"] = self.cause
        return make, nothing


class PictureError(MediumError):
    """A picture."""


class SoundError(MediumError):
    """A sound."""


class BadPicture(PictureError):
    en = ("must be a whole picture that can be shown ({why})", "open it in a viewer and save it again, or leave it out")
    zh = ("必须是完整且可显示的图片（{why}）", "请用看图软件打开后重新保存，或将其剔除")


class HugePicture(PictureError):
    en = ("a picture may have at most {limit}", "make it smaller, or cut it into tiles")
    zh = ("图片最多可有 {limit}", "请缩小图片，或切成小块")


class BadSound(SoundError):
    en = ("must be a whole sound that can be heard ({why})", "play it, convert it to WAV or FLAC again, or leave it out")
    zh = ("必须是完整且可播放的声音（{why}）", "请试听后重新转换为 WAV 或 FLAC，或将其剔除")


class HugeSound(SoundError):
    en = ("a sound may have at most {limit}", "cut it into pieces, or give fewer channels")
    zh = ("声音最多可有 {limit}", "请切成小段，或减少声道数")


class Unsayable(DataError):
    en = ("a text must be one that the voice can say ({why})", "mend that text, or leave it out")
    zh = ("文本必须是该声音能够朗读的（{why}）", "请修改该文本，或将其去掉")


class NoScratch(RunError):
    en = ("temporary files must have room for pictures or sounds that take more than a share of memory ({why})",
          "free some space there, or name another folder by TMPDIR")  # fmt: skip
    zh = ("临时文件必须有空间存放超出内存份额的图片或声音（{why}）", "请在该处释放空间，或用 TMPDIR 指定其他文件夹")


class NotEmpty(RunError):
    en = ("pictures and sounds are written to a folder that is new or empty, but something is there", "name another folder")
    zh = ("图片与声音只写入新建或空的文件夹，但该处已有内容", "请改用其他文件夹")


class PicturesAreRows(DataError):
    en = ("a corpus must be texts, but this holds pictures, which are rows and are learned from without labels as well",
          "learn with zhuji train FOLDER --model simclr, or mae")  # fmt: skip
    zh = (
        "语料必须是文本，但此处是图片；图片按行处理，无标签也可以学习",
        "请用 zhuji train 文件夹 --model simclr（或 mae）学习",
    )
