"""Bundles whose hashes are right and whose JSON is a stranger's: settings, golden rows, tokenizer."""

import json

import pytest

from tests.faults.hostile import sealed
from zhuji.core.errors import BundleError, DamagedBundle, NewerFormat
from zhuji.model.bundle import open_bundle
from zhuji.model.parity import reopened


def reconfigured(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return sealed(folder)


CONFIGS = {
    "newer": lambda c: c.update(format=2),
    "older": lambda c: c.update(format=0),
    "no format": lambda c: c.pop("format"),
    "format true": lambda c: c.update(format=[1]),
    "format huge": lambda c: c.update(format=10**30),
    "unknown key": lambda c: c.update(code="import os"),
    "part missing": lambda c: c.pop("backbone"),
    "module path": lambda c: c["backbone"].update(name="os.path"),
    "relative module": lambda c: c["backbone"].update(name="..tools.doctor"),
    "private module": lambda c: c["modality"].update(name="_tokenizers"),
    "empty name": lambda c: c["task"].update(name=""),
    "name a list": lambda c: c["task"].update(name=["classify"]),
    "unknown setting": lambda c: c["task"].update(evil=1),
    "wrong type": lambda c: c["task"].update(many="perhaps"),
    "a part is no object": lambda c: c.update(task="classify"),
    "labels twice": lambda c: c["task"].update(labels=["a", "a", "a"]),
    "other labels": lambda c: c["task"].update(labels=["x", "y", "z"]),
    "more labels": lambda c: c["task"].update(labels=list("abcd"), counts=[1] * 4),
    "labels no text": lambda c: c["task"].update(labels=[1, 2, 3]),
    "columns unknown": lambda c: c["columns"].update(evil="x"),
    "columns wrong": lambda c: c["columns"].update(text=5),
    "clean unknown": lambda c: c["clean"].update(evil=True),
    "run no object": lambda c: c.update(run=[]),
    "huge head": lambda c: c["task"].update(hidden=10**12),
    "large head": lambda c: c["task"].update(hidden=65536),
    "impossible pool": lambda c: c["task"].update(pool="nowhere"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configs(folder, case):
    with pytest.raises(NewerFormat if case in ("newer", "format huge") else DamagedBundle):
        open_bundle(reconfigured(folder, CONFIGS[case]))


@pytest.mark.parametrize("value", [7, 10**3, 10**6, 10**9, 10**12, 2**63, 10**30, -1, 0, 1.5, "9" * 5000, 1e308])
def test_sizes_of_the_backbone_are_bounded_before_memory_is_taken(folder, value):
    """Every whole number of the backbone's settings, one after the other, at sizes up to 10^12 parameters and layers."""
    original = (folder / "config.json").read_bytes()
    settings = json.loads(original)["backbone"]
    numbers = [key for key, n in settings.items() if type(n) is int]
    assert len(numbers) >= 3
    opened = []
    for key in numbers:
        (folder / "config.json").write_bytes(original)
        try:
            predictor = open_bundle(reconfigured(folder, lambda c, key=key: c["backbone"].update({key: value})))
        except BundleError:
            continue
        reopened(predictor)
        opened.append(key)
    # What has no weights may be another number.
    assert set(opened) <= {"heads", "kv_heads", "max_positions"} | ({"segment_types"} if value == 0 else set())


def test_json_traps_in_the_config(folder):
    text = (folder / "config.json").read_text()
    traps = [
        text.replace('"format": 1', '"format": 1, "format": 1'), text.replace('"format": 1', '"format": NaN'),
        text.replace('"run": {', '"run": {"deep": ' + "[" * 40 + "]" * 40 + ", "), "\ufeff" + text, text + "x",
    ]  # fmt: skip
    for trap in traps:
        assert trap != text
        (folder / "config.json").write_text(trap)
        with pytest.raises(DamagedBundle):
            open_bundle(sealed(folder))


GOLDEN = {
    "no object": "[]", "missing keys": '{"input": "x"}', "input a number": '{"input": 1, "answer": "a", "score": 1, "scores": {}}',
    "words that are numbers": '{"input": ["x", 1], "answer": ["O"], "score": 1, "scores": null}',
    "scores of words": '{"input": "x", "answer": "a", "score": 1, "scores": {"a": "b"}}',
    "more keys": '{"input": "x", "answer": "a", "score": 1, "scores": {}, "run": "rm"}',
    "too many": '{"input": "x", "answer": "a", "score": 1, "scores": {}}\n' * 2000,
}  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_rows(folder, case):
    (folder / "golden.jsonl").write_text(GOLDEN[case])
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


TOKENIZERS = {
    "another vocabulary": lambda t: t["model"]["vocab"].update({f"w{i}": len(t["model"]["vocab"]) + i for i in range(100)}),
    "no model": lambda t: t.pop("model"),
    "unknown model": lambda t: t.update(model={"type": "Python", "code": "1"}),
    "huge ids": lambda t: t["model"]["vocab"].update(huge=2**31),
    "negative ids": lambda t: t["model"]["vocab"].update(low=-1),
    "padding": lambda t: t.update(padding={"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None,
                                           "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}),
}  # fmt: skip


@pytest.mark.parametrize("case", TOKENIZERS)
def test_tokenizers(folder, case):
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    TOKENIZERS[case](tokenizer)
    path.write_text(json.dumps(tokenizer, ensure_ascii=False))
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


MARKED = {"user": {"before": "Q", "after": "|"}, "assistant": {"before": "A", "after": "|"}, "marks": ["|"], "ends": ["|"]}
CHATS = {
    "a template": {**MARKED, "template": "{{ ''.__class__ }}"},
    "a text for a template": "{{ ''.__class__ }}",
    "no marks": {**MARKED, "marks": []},
    "many marks": {**MARKED, "marks": ["|"] * 10_000},
    "a long mark": {**MARKED, "marks": ["|", "x" * 10_000_000]},
    "a long text": {**MARKED, "begin": "x" * 4_000_000},
    "no turns": {**MARKED, "user": {"before": "", "after": ""}},
    "half a character": {**MARKED, "begin": "\ud800"},
    "no object": [MARKED],
    "another role": {**MARKED, "tool": {"before": "|"}},
}


@pytest.mark.parametrize("case", CHATS)
def test_chat_formats(case, tmp_path):
    """The same settings without what is wrong with them are a format."""
    from tests.model import writers
    from zhuji.data.infer import Roles
    from zhuji.data.settings import CleanSettings
    from zhuji.model.bundle import save

    save(writers.writer(), tmp_path / "b", clean=CleanSettings(), roles=Roles(text=("text",)))
    with pytest.raises(BundleError):
        open_bundle(reconfigured(tmp_path / "b", lambda config: config["task"].update(chat=CHATS[case])))
    if case != "a long mark":
        assert open_bundle(reconfigured(tmp_path / "b", lambda config: config["task"].update(chat=MARKED))).model.task.chat
