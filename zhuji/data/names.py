"""Words that hint at what a column, a value or a file is, in English and Chinese; the earlier, the stronger."""

from __future__ import annotations

import re

TEXT = (
    "text", "文本", "content", "内容", "sentence", "句子", "review", "评论", "comment", "body", "正文", "message", "document",
    "post", "tweet", "utterance", "question", "问题", "query", "description", "描述", "input", "abstract", "摘要", "review text",
    "sms", "email", "mail", "邮件", "news", "reviewtext", "raw text", "utterances", "文档", "留言", "消息", "title", "标题",
)  # fmt: skip
IMAGE = (
    "image", "图片", "img", "picture", "图像", "photo", "照片", "file name", "filename", "image path", "image file", "path", "file", "路径",
    "文件名",
)  # fmt: skip
SOUND = (
    "audio", "音频", "sound", "声音", "recording", "录音", "audio filepath", "audio path", "audio file", "wav", "wav path", "clip", "file name",
    "filename", "path", "file", "路径", "文件名",
)  # fmt: skip
TRANSCRIPT = (
    "transcript", "transcription", "转写", "转录", "text", "文本", "sentence", "句子", "normalized text", "transcripts", "utterance", "words",
)  # fmt: skip
LABEL = (
    "label", "labels", "标签", "标注", "class", "类别", "分类", "target", "目标", "y", "sentiment", "情感", "polarity", "极性",
    "category", "categories", "种类", "类型", "topic", "主题", "intent", "意图", "tag", "tags", "annotation", "gold", "emotion",
    "情绪", "rating", "评分", "stars", "star", "score", "分数", "打分", "output", "type", "outcome", "spam", "toxic", "is spam",
)  # fmt: skip
SPLIT = ("split", "划分", "数据划分", "subset", "partition", "fold", "dataset", "set", "数据集", "子集")
GROUP = (
    "group", "group id", "分组", "组", "组别", "user", "user id", "userid", "用户", "author", "author id", "作者", "patient", "patient id",
    "患者", "customer", "customer id", "客户", "subject id", "session", "session id", "会话", "thread", "thread id", "speaker",
    "speaker id", "说话人", "发音人", "spk", "spk id", "client id", "conversation id", "dialog id", "family", "student", "student id", "学生",
)  # fmt: skip
TIME = (
    "time", "时间", "date", "日期", "timestamp", "datetime", "created at", "created", "published", "published at", "publish time",
    "发布时间", "评论时间", "year", "年份", "day", "month",
)  # fmt: skip
ID = (
    "id", "编号", "序号", "uid", "uuid", "guid", "idx", "index", "row id", "doc id", "text id", "document id", "example id", "item id",
    "sample id", "review id", "comment id", "message id", "tweet id", "post id", "filename", "file", "file name", "path", "主键",
)  # fmt: skip

WORDS = ("tokens", "words", "词", "字", "单词", "分词", "token", "word", "chars", "characters")
TAGS = ("tags", "ner tags", "ner", "标签", "实体标签", "labels", "bio", "pos tags", "tag", "label", "pos")
SOURCE = ("source", "src", "原文", "source text", "src text", "anchor")
TARGET = ("target", "tgt", "trg", "译文", "translation", "target text", "tgt text", "reference", "positive")
_CODES = (
    "ar bg bn cs da de el en es et fa fi fr he hi hr hu it ja ko lt lv ms nl pl pt ro ru sk sl sr sv sw ta th tr uk ur vi zh"
)
LANGUAGES = frozenset(_CODES.split())
"""Codes (ISO 639-1) by which columns of translations are called, but for those that are English words or mean something else."""

_SPLITS = {
    "train": "train training 训练 训练集 tr",
    "valid": "valid validation val dev develop development eval 验证 验证集 开发集",
    "test": "test testing tst heldout held-out 测试 测试集",
}
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words.split()}


def words(name: str) -> tuple[str, ...]:
    """`"Review-Text"` and `"reviewText"` -> `("review", "text")`."""
    return tuple(w.lower() for w in re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)) if w)


def is_one(name: str, hints: tuple[str, ...]) -> bool:
    """Is the whole name one of the hints?"""
    return " ".join(words(name)) in hints


def rank(name: str, hints: tuple[str, ...]) -> int | None:
    """How strongly a name hints (0 is strongest): it is one of the hints, or one of its words is, or it holds a Chinese one."""
    if is_one(name, hints):
        return hints.index(" ".join(words(name)))
    parts = words(name)
    whole = " ".join(parts)
    found = [i for i, hint in enumerate(hints) if hint in parts or (not hint.isascii() and hint in whole)]
    return len(hints) + found[0] if found else None


def known(name: str) -> bool:
    """Does this look like the name of a column, by its words?"""
    return any(is_one(name, hints) for hints in (TEXT, LABEL, SPLIT, GROUP, TIME, ID))


def test_name(value: object) -> str | None:
    """`"test_2016_flickr"` as it is: the name of one of several test sets; None for what names none."""
    name = str(value).strip()
    parts = re.split(r"[\W_]+", name, maxsplit=1)
    return name if len(parts) == 2 and parts[1] and split_name(parts[0]) == "test" else None


def split_name(value: object) -> str | None:
    """`"Validation"`, `"dev"`, `"验证集"` -> `"valid"`; None for what names no split."""
    return _SPLIT_OF.get(str(value).strip().lower())
