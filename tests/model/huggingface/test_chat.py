"""What is recognised, and what is not; that `transformers` writes the same is tried in tests/parity/test_huggingface_chat.py."""

import json

import pytest

from tests.model.huggingface.made import folder, model, reconfigure, text
from zhuji.data.chat import ChatFormat, named
from zhuji.model.huggingface import chat as templates
from zhuji.model.huggingface import read, write
from zhuji.tasks.next_unit import NextUnit

HOSTILE = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for x in range(10**9) %}{% endfor %}"
OWN = ChatFormat.parse({
    "begin": "", "user": {"before": "Q: ", "after": "\n¶"}, "assistant": {"before": "A: ", "after": "\n¶"}, "marks": ["\n¶"], "ends": ["\n¶"],
})  # fmt: skip


@pytest.mark.parametrize("chat", [*named().values(), OWN], ids=[*named(), "own"])
def test_there_and_back(chat, tmp_path, capsys):
    """A folder that we wrote is known by its very text, also of formats that have a name: nothing need be said."""
    made = model("llama", {"name": "next_unit", "chat": chat.plain()})
    write(made, tmp_path / "there")
    settings = json.loads((tmp_path / "there" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert "messages" in settings["chat_template"]
    again = read(tmp_path / "there").model.task
    told = capsys.readouterr().err
    if chat is OWN:
        assert again.chat is None and "none of those known" in told
    else:
        assert again.chat == chat and "template" not in told


def test_without_a_template_there_is_no_format(tmp_path, capsys):
    found = read(folder(tmp_path / "there", "llama")).model.task
    assert isinstance(found, NextUnit) and found.chat is None and not capsys.readouterr().err


@pytest.mark.parametrize("template", [HOSTILE, "", "{{ messages }}", "<|im_start|><|im_end|>", "[INST] [/INST] <|user|>"])
def test_a_template_is_never_run(template, tmp_path, capsys):
    """ChatML's marks are no special tokens of this vocabulary, so whoever follows the template would read other ids."""
    place = folder(tmp_path / "there", "llama")
    reconfigure(place, "tokenizer_config.json", chat_template=template)
    assert read(place).model.task.chat is None
    assert f"zhuji convert {place} BUNDLE --set task.chat=NAME" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["file", "list"])
def test_where_a_template_lies(where, tmp_path, capsys):
    place = folder(tmp_path / "there", "llama")
    template = templates.jinja(named()["chatml"], text())
    other = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]
    reconfigure(place, "tokenizer_config.json", chat_template=other if where == "list" else "passed over")
    if where == "file":
        (place / "chat_template.jinja").write_text(template, encoding="utf-8")
    assert read(place).model.task.chat == named()["chatml"]


@pytest.mark.parametrize("template", [3, {"a": "b"}, [3], [{"name": "default"}], [{"name": ["a"], "template": "x"}]])
def test_what_is_no_template(template, tmp_path):
    place = folder(tmp_path / "there", "llama")
    reconfigure(place, "tokenizer_config.json", chat_template=template)
    assert read(place).model.task.chat is None


def test_a_start_that_a_template_leaves_out_is_left_out(tmp_path):
    """ChatML's own template writes none, and `transformers` adds none to what a template wrote."""
    place = folder(tmp_path / "there", "llama")
    plain = named()["chatml"].model_copy(update={"begin": ""})
    reconfigure(place, "tokenizer_config.json", chat_template=templates.jinja(plain, text()))
    assert read(place).model.task.chat == plain
