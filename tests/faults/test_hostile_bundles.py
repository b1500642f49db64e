"""Folders from a stranger: whatever is in them, opening ends in a BundleError and runs nothing of theirs."""

import contextlib
import hashlib
import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load, save

from zhuji.core.contracts import Backbone, Modality
from zhuji.core.errors import BundleError, DamagedBundle, NewerFormat, NotABundle, UnsafeBundle
from zhuji.core.lookup import build, find
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import bundle
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify

FILES = ("config.json", "model.safetensors", "labels.json", "golden.jsonl", "README.md", "hashes.json", "tokenizer.json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    modality, texts = find(Modality, "text").example()
    backbone = build(Backbone, {"name": "transformer", **find(Backbone, "transformer").example().plain()})
    model = assemble(modality, backbone, Classify.example().task)
    answers = Predictor(model).predict(texts)
    golden = [{"input": t, "answer": a.answer, "score": a.score, "scores": dict(a.scores)} for t, a in zip(texts, answers)]
    folder = tmp_path_factory.mktemp("whole") / "bundle"
    bundle.save(
        model, folder, clean=CleanSettings(), roles=Roles(text=("text",)), golden=golden, card="# A model\n", run={"seed": 1}
    )
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "b")
    return tmp_path / "b"


def sealed(folder):
    """Write hashes.json anew, as a stranger with our code would."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "hashes.json" and p.is_file()}
    entries = {name: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for name, d in files.items()}
    (folder / "hashes.json").write_text(json.dumps(entries, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return folder


def reconfigured(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return sealed(folder)


def reweighed(folder, change):
    path = folder / "model.safetensors"
    tensors = load(path.read_bytes())
    path.write_bytes(save(change(tensors) or tensors))
    return sealed(folder)


def reheaded(folder, change):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return sealed(folder)


def test_the_untouched_one_opens(folder):
    predictor = open_bundle(folder)
    assert predictor.check_golden() == (0, pytest.approx(0, abs=1e-6))
    assert open_bundle(sealed(folder)).run == {"seed": 1}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_changed_byte(folder, name, place):
    data = bytearray((folder / name).read_bytes())
    data[int(place * len(data))] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_of_what_is_read_first(folder, name):
    data = (folder / name).read_bytes()
    for place in range(0, len(data), max(1, len(data) // 20)):
        (folder / name).write_bytes(data[:place] + bytes([data[place] ^ 32]) + data[place + 1 :])
        with pytest.raises(BundleError):
            open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_truncated(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedBundle):
        open_bundle(folder)


@pytest.mark.parametrize("name", [n for n in FILES if n != "hashes.json"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"[]", b"{}", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000]
)
def test_other_content_with_matching_hashes(folder, name, content):
    if name == "README.md" and content != b"\x00\xff\xfe":
        return
    if name == "golden.jsonl" and not content:
        return
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 60_000, b" " * 100_000, b'{"config.json": 1}\n']
)
def test_other_hashes(folder, content):
    (folder / "hashes.json").write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_missing(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", [n for n in FILES if n in ("labels.json", "tokenizer.json", "golden.jsonl", "README.md")])
def test_missing_with_matching_hashes(folder, name):
    (folder / name).unlink()
    with pytest.raises(DamagedBundle):
        open_bundle(sealed(folder))


@pytest.mark.parametrize("name", FILES)
def test_a_link_instead_of_a_file(folder, name, tmp_path):
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeBundle, match="link"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "name", ["extra.json", "model.py", "pytorch_model.bin", ".hidden", "zhuji.pth", "sitecustomize.py", "a b.json"]
)
def test_an_unknown_file(folder, name):
    (folder / name).write_bytes(b"{}")
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


def test_a_folder_inside(folder):
    (folder / "code").mkdir()
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


def test_a_pipe_does_not_hang(folder):
    (folder / "README.md").unlink()
    os.mkfifo(folder / "README.md")
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


def test_very_many_files(folder):
    for i in range(100):
        (folder / f"a{i}.json").touch()
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "bundle/../../x.json", "..\\x.json", "tokenizer.json\0"])
def test_names_that_leave_the_folder(folder, name):
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes[name] = hashes.pop("tokenizer.json")
    (folder / "hashes.json").write_text(json.dumps(hashes, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, (os.environ["ZHUJI_TEST_BOMB"],))


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_is_not_run(folder, name, tmp_path, monkeypatch):
    monkeypatch.setenv("ZHUJI_TEST_BOMB", str(tmp_path / "bomb"))
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    for attempt in (lambda: folder, lambda: sealed(folder)):
        if name == "hashes.json" and attempt() == folder:
            (folder / name).write_bytes(pickle.dumps(Bomb()))
        with contextlib.suppress(BundleError):
            open_bundle(attempt())
    assert not (tmp_path / "bomb").exists()


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
        predictor.check_golden()
        opened.append(key)
    # What has no weights may be another number.
    assert set(opened) <= {"heads", "kv_heads", "max_positions"}


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


def first(tensors):
    return min(name for name, t in tensors.items() if t.ndim == 2)


WEIGHTS = {
    "one missing": lambda t: t.pop(first(t)) is None,
    "one more": lambda t: t.update(evil=torch.zeros(2)),
    "none": lambda t: t.clear() or {"x": torch.zeros(1)},
    "another shape": lambda t: t.update({first(t): torch.zeros(3, 3)}),
    "transposed": lambda t: t.update({n: x.T.contiguous() for n, x in t.items() if x.ndim == 2 and x.shape[0] != x.shape[1]}),
    "another dtype": lambda t: t.update({first(t): t[first(t)].double()}),
    "half": lambda t: t.update({n: x.half() for n, x in t.items()}),
    "a NaN": lambda t: t[first(t)].view(-1)[:1].fill_(float("nan")) is None,
    "an infinity": lambda t: t[first(t)].view(-1)[-1:].fill_(float("inf")) is None,
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(folder, case):
    with pytest.raises(DamagedBundle):
        open_bundle(reweighed(folder, lambda t: r if isinstance(r := WEIGHTS[case](t), dict) else t))


def entry(header):
    return next(value for name, value in header.items() if name != "__metadata__")


HEADERS = {
    "a huge shape": lambda h: entry(h).update(shape=[10**6, 10**6]),
    "a shape beyond 64 bits": lambda h: entry(h).update(shape=[2**63, 2**63]),
    "a negative shape": lambda h: entry(h).update(shape=[-1, -8]),
    "a shape of words": lambda h: entry(h).update(shape=["8"]),
    "a shape of truths": lambda h: entry(h).update(shape=[True]),
    "offsets beyond the file": lambda h: entry(h).update(data_offsets=[0, 10**12]),
    "offsets backwards": lambda h: entry(h).update(data_offsets=[64, 0]),
    "offsets of words": lambda h: entry(h).update(data_offsets=["0", "64"]),
    "overlap": lambda h: [e.update(data_offsets=[0, 64]) for e in h.values() if "data_offsets" in e],
    "an unknown type": lambda h: entry(h).update(dtype="PICKLE"),
    "a type that is a list": lambda h: entry(h).update(dtype=["F32"]),
    "another key": lambda h: entry(h).update(code="x"),
    "an entry that is a list": lambda h: h.update(x=[1]),
    "deep": lambda h: h.update(x={"dtype": "F32", "shape": [[[[]]]], "data_offsets": [0, 0]}),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers(folder, case):
    with pytest.raises(BundleError):
        open_bundle(reheaded(folder, HEADERS[case]))


@pytest.mark.parametrize("length", [0, 1, 2**24 + 1, 2**40, 2**63, 2**64 - 1])
def test_the_declared_length_of_the_header(folder, length):
    path = folder / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


@pytest.mark.parametrize("name", [n for n in FILES if n not in ("model.safetensors",)])
def test_a_file_that_only_claims_to_be_huge(folder, name):
    """A sparse file of 8 GiB takes no disk; reading it whole would take the machine."""
    os.truncate(folder / name, 8 << 30)
    hashes = json.loads((folder / "hashes.json").read_text()) if name != "hashes.json" else None
    if hashes:
        hashes[name]["bytes"] = 8 << 30
        (folder / "hashes.json").write_text(json.dumps(hashes, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    with pytest.raises(BundleError):
        open_bundle(folder)


def test_huge_weights_are_refused_by_their_header(folder):
    os.truncate(folder / "model.safetensors", 64 << 30)
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes["model.safetensors"]["bytes"] = 64 << 30
    (folder / "hashes.json").write_text(json.dumps(hashes, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    with pytest.raises(DamagedBundle, match="tensors need"):
        open_bundle(folder)


GOLDEN = {
    "no object": "[]", "missing keys": '{"input": "x"}', "input a number": '{"input": 1, "answer": "a", "score": 1, "scores": {}}',
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


def test_not_a_bundle_at_all(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotABundle):
            open_bundle(path)
    (tmp_path / "file").touch()
    with pytest.raises(NotABundle):
        open_bundle(tmp_path / "file")


def test_a_run_whose_bundle_is_a_link(whole, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "bundle").symlink_to(whole)
    with pytest.raises(UnsafeBundle):
        open_bundle(tmp_path / "run")
