import ast
import shlex
from pathlib import Path

import zhuji
from zhuji.core import lookup
from zhuji.core.contracts import Task
from zhuji.tools.pages.commands import EMBEDS, in_python, next_commands


def test_what_comes_next_follows_from_the_task() -> None:
    def verbs(kind: str, task: str) -> list[str]:
        return [command.split()[1] for command in next_commands(Path("r"), {"kind": kind, "model": {"task": task}})]

    assert verbs("pretrain", "next_unit") == ["train", "probe", "generate"]
    assert verbs("pretrain", "masked_units") == ["train", "probe", "index"]
    assert verbs("pair", "contrast") == ["index", "probe", "evaluate"]
    assert verbs("unlabelled", "generate") == ["draw", "realism", "evaluate"]
    assert verbs("tag", "tag") == ["predict", "evaluate", "serve"]


def test_paths_are_quoted() -> None:
    assert [shlex.split(c)[2] for c in next_commands(Path("my runs/$(x)"))] == ["my runs/$(x)"] * 3


def test_what_was_taught_to_talk_is_talked_with() -> None:
    found = next_commands(Path("r"), {"kind": "pretrain", "model": {"task": "next_unit", "chats": True}})
    assert found[0] == "zhuji chat r" and len(found) == 3


def test_of_pictures() -> None:
    commands = next_commands(Path("r"), {"kind": "classify", "model": {"task": "classify", "modality": "image"}})
    assert commands[:2] == ["zhuji predict r PICTURE.jpg", "zhuji evaluate r FOLDER"]


def test_of_an_encoder_that_was_taught_without_transcripts() -> None:
    commands = next_commands(Path("r"), {"kind": "unlabelled", "model": {"task": "masked_frames", "modality": "speech"}})
    assert commands[0] == "zhuji train DATA --model recognise --from r" and len(commands) == 3


def test_of_what_cleans_sounds() -> None:
    commands = next_commands(Path("r"), {"kind": "unlabelled", "model": {"task": "enhance", "modality": "waveform"}})
    assert commands[0] == "zhuji enhance r SOUNDS --out CLEAN" and len(commands) == 3


def test_of_what_speaks() -> None:
    commands = next_commands(Path("r"), {"kind": "speak", "model": {"task": "speak", "modality": "text"}})
    assert shlex.split(commands[0]) == ["zhuji", "speak", "r", "a text of yours", "--out", "SAID"] and len(commands) == 3
    commands = next_commands(Path("r"), {"kind": "unlabelled", "model": {"task": "vocode", "modality": "speech"}})
    assert shlex.split(commands[0])[-2:] == ["--vocoder", "r"] and len(commands) == 3


def test_of_what_goes_on_with_sounds() -> None:
    commands = next_commands(Path("r"), {"kind": "unlabelled", "model": {"task": "next_unit", "modality": "speech"}})
    assert commands[0] == "zhuji generate r SOUND.wav --out SOUNDS" and len(commands) == 3


def test_every_task_that_answers_with_vectors_is_known() -> None:
    kinds = {name: lookup.find(Task, name).example().task.reading()["kind"] for name in lookup.names(Task)}
    # What makes pictures is drawn with, whatever else it answers.
    assert {name for name, kind in kinds.items() if kind == "vector"} - {"generate"} == EMBEDS


def test_python_uses_a_model_for_what_it_is_there_for() -> None:
    """Every line can be read by Python, whatever the folder is called, and names what the package has."""
    asked = {
        ("classify", "text"): "predict(['your text'])", ("masked_units", "text"): "start=", ("classify", "image"): "predict(['picture.jpg'])",
        ("transcribe", "speech"): "predict(['sound.wav'])", ("enhance", "waveform"): "enhance(", ("speak", "text"): "speak(",
        ("vocode", "speech"): "vocoder=", ("generate", "image"): "draw(", ("next_unit", "speech"): "sounds(", ("next_unit", "text"): "predict(['your text'])",
    }  # fmt: skip
    for (task, modality), wanted in asked.items():
        lines = in_python(
            "my 'runs'/bundle",
            {"kind": "pretrain" if wanted == "start=" else "", "model": {"task": task, "modality": modality}},
        )
        assert wanted in "".join(lines), (task, modality)
        names = {
            node.attr
            for node in ast.walk(ast.parse("\n".join(lines)))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "zhuji"
        }
        assert names and all(hasattr(zhuji, name) for name in names)
