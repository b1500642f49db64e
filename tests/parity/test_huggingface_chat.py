"""Conversations as `transformers.apply_chat_template` writes them: with the template that we write, and with those of the models themselves."""

from __future__ import annotations

import pytest

from tests.parity import conversations
from tests.parity.conversations import SAID, SPECIAL, messages, told, vocabulary
from tests.parity.huggingface_folders import transformers
from zhuji.data.chat import ChatFormat, named
from zhuji.modalities.text import Text
from zhuji.model.chat import Chat
from zhuji.model.huggingface import chat as templates
from zhuji.model.huggingface import tokenizer as tokenizers_there

KINDS = {
    "chatml": "bytes",
    "llama-3": "bytes",
    "llama-2": "legacy",
    "gemma": "bare",
    "mistral": "first",
    "mistral-v1": "legacy",
    "zephyr": "legacy",
}
BOS, EOS, ANSWER = "{{ bos_token }}", "eos_token", "{% if add_generation_prompt %}"
TURNS = (
    "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
)
ORIGINALS = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
              "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama-3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + "
               "'<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + "
               "content %}{% endif %}{{ content }}{% endfor %}"
               "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "llama-2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
               "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}" + TURNS +
               "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + "
               "message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
               "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
               "{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "gemma": "{{ bos_token }}{% set loop_messages = messages %}" + TURNS + "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
             "{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + "
             "'<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "mistral": "{{ bos_token }}{% set loop_messages = messages %}" + TURNS + "{% if message['role'] == 'user' %}"
               "{{ '[INST] ' + message['content'] + '[/INST]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}",
    "mistral-v1": "{{ bos_token }}{% set loop_messages = messages %}" + TURNS + "{% if message['role'] == 'user' %}"
                  "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
                  "{{ message['content'] + eos_token}}{% endif %}{% endfor %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
              "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
}  # fmt: skip
"""As the models' own folders have them."""
WITHOUT_SYSTEM = ("gemma", "mistral", "mistral-v1")
"""Formats whose original template refuses a system message, or had none yet."""


def rendered(theirs, name: str, template: str) -> tuple[str, list[int]]:
    asked = {"chat_template": template, "add_generation_prompt": True}
    found = theirs.apply_chat_template(messages(name), tokenize=False, **asked)
    return found, theirs(found, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(("format", "kind"), [*KINDS.items(), ("chatml", "first"), ("zephyr", "first"), ("chatml", "legacy")])
def test_our_template_there_writes_what_we_read(format, kind, said, tmp_path):
    theirs = vocabulary(kind, SPECIAL[format])
    text = conversations.read(conversations.written(theirs, tmp_path))
    chat = named()[format]
    found, ids = rendered(theirs, said, templates.jinja(chat, text))
    assert found == (chat.begin or "") + "".join(piece.text for piece in chat.pieces(told(said)))
    assert list(Chat(conversations.model(text, chat)).read(told(said))) == ids


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("format", ORIGINALS)
def test_a_template_of_theirs_is_recognised_and_followed(format, said, tmp_path, capsys):
    theirs = vocabulary(KINDS[format], SPECIAL[format])
    folder = conversations.written(theirs, tmp_path, ORIGINALS[format])
    text = conversations.read(folder)
    chat = templates.read(folder, text)
    assert chat is not None and chat == named()[format]
    assert f"it is '{format}'" in capsys.readouterr().err
    if said in ("system", "all") and format in WITHOUT_SYSTEM:
        return
    theirs.chat_template = ORIGINALS[format]
    found, ids = rendered(theirs, said, ORIGINALS[format])
    assert list(Chat(conversations.model(text, chat)).read(told(said))) == ids, found


@pytest.mark.parametrize("wrap", ["none", "both"])
@pytest.mark.parametrize("format", ["chatml", "plain", "llama-2"])
def test_a_folder_of_ours(format, wrap, tmp_path):
    """A vocabulary that was trained here has no special tokens for marks: they are text, there as here, and the start stands before."""
    text = Text.parse({"tokenizer": "bpe", "vocab_size": 400, "max_units": 4096, "wrap": wrap, "lowercase": False}).fit(
        ["the cat sat"]
    )
    chat = named()[format]
    for name, data in tokenizers_there.written(text):
        (tmp_path / name).write_text(data, encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for said in SAID:
        _, ids = rendered(theirs, said, templates.jinja(chat, text))
        assert list(Chat(conversations.model(text, chat)).read(told(said))) == ids


def test_what_has_no_place_is_refused_there_too(tmp_path):
    theirs = vocabulary("legacy", SPECIAL["llama-2"])
    text = conversations.read(conversations.written(theirs, tmp_path))
    no_system = ChatFormat.parse({**named()["llama-2"].plain(), "system": None})
    free = ChatFormat.parse({**named()["chatml"].plain(), "system": None})
    for chat, said in (
        (named()["llama-2"], [("user", "a"), ("user", "b")]),
        (no_system, SAID["system"]),
        (free, SAID["system"]),
    ):
        asked = [{"role": role, "content": content} for role, content in said]
        with pytest.raises(Exception, match=r"turns|place|known"):
            theirs.apply_chat_template(asked, chat_template=templates.jinja(chat, text), tokenize=False)
