import json

import pytest

from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.data.chat import ChatFormat, Message, Piece, forged, messages_of, name_of, named, text_to_learn

TALK = [Message("system", "S "), Message("user", " U"), Message("assistant", "A"), Message("user", "V\n")]
EXPECTED = {
    "chatml": "<|im_start|>system\nS <|im_end|>\n<|im_start|>user\n U<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV\n<|im_end|>\n"
              "<|im_start|>assistant\n",
    "llama-2": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST]",
    "llama-3": "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
               "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|>"
               "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n",
    "mistral": "[INST] S \n\n U[/INST] A</s>[INST] V\n[/INST]",
    "mistral-v1": "[INST] S \n\n U [/INST]A</s>[INST] V\n [/INST]",
    "zephyr": "<|system|>\nS </s>\n<|user|>\n U</s>\n<|assistant|>\nA</s>\n<|user|>\nV\n</s>\n<|assistant|>\n",
    "plain": "System: S\nUser: U\nAssistant: A\nUser: V\nAssistant:",
}  # fmt: skip
SMALL = {
    "user": {"before": "Q", "after": "|"}, "assistant": {"before": "A", "after": "|"}, "marks": ["|"], "ends": ["|"],
}  # fmt: skip


def written(chat: ChatFormat, *messages: Message, **more: bool) -> str:
    return "".join(piece.text for piece in chat.pieces(messages, **more))


def test_every_name_has_its_text() -> None:
    assert set(EXPECTED) == set(named())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_conversation_is_written(name: str) -> None:
    chat = named()[name]
    assert written(chat, *TALK) == EXPECTED[name]
    said = [piece.text.strip() for piece in chat.pieces(TALK) if piece.said]
    assert said == ["S", "U", "A", "V"]
    assert name_of(chat) == name_of(chat.model_copy(update={"begin": "x"})) == name
    assert ChatFormat.parse(chat.plain()) == chat


def test_a_whole_conversation_ends_with_its_last_answer() -> None:
    assert written(named()["plain"], *TALK[:3], answer=False) == "System: S\nUser: U\nAssistant: A\n"
    assert name_of(ChatFormat.parse(SMALL)) is None


@pytest.mark.parametrize(("format", "messages", "told"), [
    ("chatml", [], "between 1 and"),
    ("chatml", [Message("system", "a")], "message of the user"),
    ("chatml", [Message("user", "a"), Message("assistant", "b")], "end with what"),
    ("llama-2", [Message("user", "a"), Message("user", "b")], "in turn"),
    ("llama-2", [Message("assistant", "a"), Message("user", "b")], "in turn"),
    ("gemma", [Message("user", "a"), Message("system", "b")], "in turn"),
    ("gemma", [Message("system", "a"), Message("system", "b"), Message("user", "c")], "in turn"),
])  # fmt: skip
def test_messages_that_have_no_place_are_refused(format: str, messages: list[Message], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        named()[format].pieces(messages)


def test_a_format_without_a_system_message() -> None:
    with pytest.raises(BadSetting, match="no system message"):
        ChatFormat.parse(SMALL).pieces([Message("system", "a"), Message("user", "b")])


def test_turns_are_free_where_the_system_has_its_own() -> None:
    assert written(ChatFormat.parse(SMALL), Message("user", "a"), Message("user", "b")) == "Qa|Qb|A"


@pytest.mark.parametrize(("changes", "told"), [
    ({"user": {"before": "x" * 201}}, "200 characters"),
    ({"marks": []}, "at least 1"),
    ({"marks": ["|"] * 33}, "at most 32"),
    ({"marks": ["|" * 61]}, "60 characters"),
    ({"marks": [""]}, "at least 1"),
    ({"ends": ["."]}, "among its marks"),
    ({"marks": ["."], "ends": ["."]}, "a mark between"),
    ({"user": {"before": "Q", "after": ""}}, "a mark between"),
    ({"user": {"before": "\ud800"}}, "valid string"),
    ({"inside": "yes, please"}, "boolean"),
])  # fmt: skip
def test_a_strangers_format_is_bounded(changes: dict, told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        ChatFormat.parse({**SMALL, **changes}, "task.chat")


def test_a_template_is_no_setting() -> None:
    with pytest.raises(UnknownKey, match="template"):
        ChatFormat.parse({**SMALL, "template": "{{ 1 }}"})


@pytest.mark.parametrize(("texts", "found"), [
    (("hello", "and \n Users: of"), None),
    (("a\nUser: b", "c"), "\nUser:"),
    (("a\nuSER: b", "c"), "\nUser:"),
    (("a", "b\nAssistant:"), "\nAssistant:"),
    (("User: a", "Assistant:"), None),
])  # fmt: skip
def test_a_mark_in_what_is_said_is_found(texts: tuple[str, ...], found: str | None) -> None:
    chat = named()["plain"]
    pieces = chat.pieces([Message("user", texts[0]), Message("assistant", texts[1]), Message("user", "x")])
    assert forged(pieces, chat.marks) == found


def test_a_mark_that_is_completed_at_an_edge_is_found() -> None:
    assert forged([Piece("Q:", False), Piece("a<", True), Piece("end>", False)], ["<end>"]) == "<end>"
    assert forged([Piece("<e", False), Piece("nd>", True)], ["<end>"]) == "<end>"
    assert forged([Piece("<end><", False), Piece("", True), Piece("end>", False)], ["<end>"]) == "<end>"
    assert forged([Piece("<end", False), Piece(">", False), Piece("a", True)], ["<end>"]) is None


def test_overlapping_marks_are_counted() -> None:
    assert forged([Piece("aba", False), Piece("ba", True)], ["aba"]) == "aba"


@pytest.mark.parametrize(("given", "count"), [
    ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "id": 3}], 2),
    ([{"role": "tool", "content": "a"}], None), ([{"role": "user", "content": ["a"]}], None), ([{"content": "a"}], None),
    ([], None), ("text", None), (["text"], None), (None, None), ([{"role": ["user"], "content": "a"}], None),
])  # fmt: skip
def test_the_messages_of_a_cell(given: object, count: int | None) -> None:
    found = messages_of(json.dumps(given))
    assert (found and len(found)) == count


@pytest.mark.parametrize("cell", ["", "[", "[" * 100_000])
def test_what_is_no_json_is_no_conversation(cell: str) -> None:
    assert messages_of(cell) is None


def cell(*texts: str) -> str:
    return json.dumps([{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)])


def test_a_text_to_learn_from() -> None:
    chatml, mistral = named()["chatml"], named()["mistral"]
    assert text_to_learn(chatml, cell("a", "b"))[0] == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    assert text_to_learn(mistral, cell("a", "b"))[0] == "<s>[INST] a[/INST] b</s>"
    assert text_to_learn(chatml, "hello") == (None, "no conversation")
    assert text_to_learn(chatml, cell("a", "b<|im_end|>")) == (None, "a mark in what is said")
    said = json.dumps([{"role": "user", "content": "a"}] * 2)
    assert text_to_learn(mistral, said) == (None, "not as the chat format wants it")
