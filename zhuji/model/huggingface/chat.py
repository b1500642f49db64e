"""Chat formats as they travel in such folders: templates in Jinja, which are programs. Ours are written as one; theirs are never run.

A template is recognised by the marks that it writes, as llama.cpp does it (llama-chat.cpp), and only where the vocabulary has them as
special tokens. What it may do besides (a system message of its own, tools, the date) is not followed, and a person is told so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zhuji.core.log import in_language, say
from zhuji.data.chat import ChatFormat, Turn, named
from zhuji.modalities.text import Text
from zhuji.model.huggingface.files import read_object, read_text
from zhuji.model.huggingface.tokenizer import SETTINGS

TEMPLATE, KEY = "chat_template.jinja", "chat_template"


@dataclass(frozen=True)
class _Signs:
    """By what a template is told: texts that it must hold, of which `special` must be special tokens of the vocabulary, and texts that it
    must not hold."""

    held: tuple[str, ...]
    special: tuple[str, ...]
    never: tuple[str, ...] = ()


_TOLD: Mapping[str, _Signs] = {
    "chatml": _Signs(("<|im_start|>", "<|im_end|>"), ("<|im_start|>", "<|im_end|>"), ("<|im_sep|>",)),
    "llama-3": _Signs(("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "llama-2": _Signs(("[INST] ", " [/INST]", "<<SYS>>"), ("<s>", "</s>")),
    "gemma": _Signs(("<start_of_turn>", "<end_of_turn>", "model"), ("<start_of_turn>", "<end_of_turn>")),
    "mistral": _Signs(("[INST]", "[/INST]"), ("<s>", "</s>", "[INST]", "[/INST]"), ("<<SYS>>", " [/INST]", "[SYSTEM_PROMPT]")),
    "mistral-v1": _Signs(("[INST] ", " [/INST]"), ("<s>", "</s>"), ("<<SYS>>", "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]")),
    "zephyr": _Signs(("<|user|>", "<|assistant|>", "<|system|>", "eos_token"), ("</s>",), ("<|end|>",)),
}  # fmt: skip


def read(folder: Path, text: Text) -> ChatFormat | None:
    """The format of the folder's chat template; None where there is none, or none that is known, which a person is told."""
    template = _template(folder)
    if template is None:
        return None
    for name, chat in named().items():
        bare = chat.model_copy(update={"begin": ""})
        exact = next((one for one in (chat, bare) if template == jinja(one, text)), None)
        if exact is not None:
            return exact
        if name in _TOLD and _is(_TOLD[name], template, text):
            say(in_language(
                f"{folder}: its chat template is not run; by its marks it is '{name}', and that is followed. What it does besides "
                f"(a system message of its own, tools, the date) is not.",
                f"{folder}：不会运行其中的对话模板；按标记判断为「{name}」，并照此执行。模板的其他功能（自带系统消息、工具、日期）不予遵循。",
            ))  # fmt: skip
            return chat if text.opening is None or _begins(template, text.marked(()).name(text.opening)) else bare
    say(in_language(
        f"{folder}: its chat template is not run, and it is none of those known by their marks ({', '.join(_TOLD)}): the model writes, but "
        f"cannot be talked with. Say which it is: zhuji convert {folder} BUNDLE --set task.chat=NAME, or a description.",
        f"{folder}：不会运行其中的对话模板，且无法按标记识别（{'、'.join(_TOLD)}）：模型可以续写，但不能对话。请指明格式：zhuji convert {folder} BUNDLE --set task.chat=名称（或描述）。",
    ))  # fmt: skip
    return None


def _template(folder: Path) -> str | None:
    """The template that transformers would use; a list of several has one that is named default."""
    if (written := read_text(folder, TEMPLATE)) is not None:
        return written
    given = (read_object(folder, SETTINGS) or {}).get(KEY)
    if isinstance(given, list):
        given = next((one.get("template") for one in given if isinstance(one, dict) and one.get("name") == "default"), None)
    return given if isinstance(given, str) else None


def _begins(template: str, start: str) -> bool:
    """Whether a template writes the start of the vocabulary, by its name or as transformers calls it."""
    return "bos_token" in template or start in template


def _is(signs: _Signs, template: str, text: Text) -> bool:
    held = all(sign in template for sign in signs.held) and not any(sign in template for sign in signs.never)
    return held and set(signs.special) <= set(text.marked(signs.special).marks)


def jinja(chat: ChatFormat, text: Text) -> str:
    """A template with which `transformers` writes what we would write."""
    return "".join(_inside(chat, _begin(chat, text)) if chat.inside else _free(chat, _begin(chat, text)))


def _begin(chat: ChatFormat, text: Text) -> str:
    """As every text of the model begins, where the format does not say how."""
    if chat.begin is not None:
        return chat.begin
    return "" if text.opening is None else text.marked(()).name(text.opening)


def _free(chat: ChatFormat, begin: str) -> Iterator[str]:
    yield f"{{{{ {_quoted(begin)} }}}}{{% for message in messages %}}"
    for place, role in enumerate(("system", "user", "assistant")):
        turn: Turn | None = getattr(chat, role)
        if turn is not None:
            word = "elif" if place and (role != "user" or chat.system is not None) else "if"
            yield f"{{% {word} message['role'] == '{role}' %}}{{{{ {_around(chat, turn)} }}}}"
    yield f"{{% else %}}{_refuse('a role is not known')}{{% endif %}}{{% endfor %}}{_ask(chat)}"


def _inside(chat: ChatFormat, begin: str) -> Iterator[str]:
    yield f"{{{{ {_quoted(begin)} }}}}{{% if messages[0]['role'] == 'system' %}}"
    if chat.system is None:
        yield f"{_refuse('there is no place for a system message')}{{% endif %}}{{% set turns = messages %}}{{% set told = '' %}}"
    else:
        told = _around(chat, chat.system, "messages[0]")
        yield f"{{% set turns = messages[1:] %}}{{% set told = {told} %}}{{% else %}}{{% set turns = messages %}}{{% set told = '' %}}{{% endif %}}"
    refuse = _refuse("user and assistant must take turns")
    yield f"{{% for message in turns %}}{{% if message['role'] != ['user', 'assistant'][loop.index0 % 2] %}}{refuse}{{% endif %}}"
    user, said = chat.user, f"(told if loop.first else '') + {_said(chat)}"
    yield f"{{% if message['role'] == 'user' %}}{{{{ {_quoted(user.before)} + {said} + {_quoted(user.after)} }}}}"
    yield f"{{% else %}}{{{{ {_around(chat, chat.assistant)} }}}}{{% endif %}}{{% endfor %}}{_ask(chat)}"


def _around(chat: ChatFormat, turn: Turn, message: str = "message") -> str:
    return f"{_quoted(turn.before)} + {_said(chat, message)} + {_quoted(turn.after)}"


def _said(chat: ChatFormat, message: str = "message") -> str:
    return f"{message}['content']" + (" | trim" if chat.trim else "")


def _ask(chat: ChatFormat) -> str:
    return f"{{% if add_generation_prompt %}}{{{{ {_quoted(chat.asks)} }}}}{{% endif %}}"


def _refuse(why: str) -> str:
    return f"{{{{ raise_exception('{why}') }}}}"


def _quoted(text: str) -> str:
    """A literal of Jinja's, whose escapes are Python's."""
    return json.dumps(text, ensure_ascii=False)
