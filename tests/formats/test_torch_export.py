import io
import pickle
import shutil
import zipfile

import pytest

from tests.faults.hostile import sealed
from tests.formats.made import exported
from zhuji.core.errors import BundleError, UnsafeBundle
from zhuji.formats import open_model


class Bomb:
    def __reduce__(self):
        return (eval, ("__import__('os').mkdir(__import__('os').environ['ZHUJI_TEST_BOMB'])",))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZHUJI_TEST_BOMB", str(tmp_path / "bomb"))
    shutil.copytree(exported("bag", "torch-export"), tmp_path / "copy")
    yield tmp_path / "copy"
    assert not (tmp_path / "bomb").exists()


def rewritten(folder, change):
    path = folder / "model.pt2"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    path.write_bytes(target.getvalue())
    return sealed(folder)


def entry(entries, end):
    return next(name for name in entries if name.endswith(end))


def text(end, old, new):
    def change(entries):
        name = entry(entries, end)
        assert old in entries[name], f"{old} must stand there to be replaced"
        entries[name] = entries[name].replace(old, new, 1)

    return change


def added(end, data):
    return lambda entries: entries.update({entry(entries, "models/model.json").replace("models/model.json", end): data})


GRAPH = "models/model.json"
CALL = b"__import__('os').mkdir(__import__('os').environ['ZHUJI_TEST_BOMB'])"
HOSTILE = {
    "pickled weights": text("model_weights_config.json", b'"use_pickle": false', b'"use_pickle": true'),
    "pickled examples": added("data/sample_inputs/model.pt", pickle.dumps(Bomb())),
    "a pickled object": added("data/constants/opaque_obj_0", pickle.dumps(Bomb())),
    "a script object": added("data/constants/custom_obj_0", pickle.dumps(Bomb())),
    "a compiled library": added("data/aotinductor/model/model.so", b"\x7fELF"),
    "a path that leaves": added("../../outside", b"x"),
    "guards that are code": text(GRAPH, b'"guards_code": []', b'"guards_code": ["' + CALL + b'"]'),
    "a size that is code": text(GRAPH, b'"expr_str": "Symbol(', b'"expr_str": "' + CALL + b'+Symbol('),
    "a node that calls torch": text(GRAPH, b'"target": "torch.ops.aten.', b'"target": "torch.hub.load.'),
    "a node that calls Python": text(GRAPH, b'"target": "torch.ops.aten.', b'"target": "_operator.attrgetter.'),
    "a node that reads files": text(GRAPH, b'"target": "torch.ops.aten.sym_size.int"', b'"target": "torch.ops.aten.from_file.default"'),
    "a node of another library": text(GRAPH, b'"target": "torch.ops.aten.', b'"target": "torch.ops.evil.'),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_code_in_an_archive_is_refused_and_not_run(folder, case):
    with pytest.raises(UnsafeBundle):
        open_model(rewritten(folder, HOSTILE[case]))


def test_an_archive_that_grows(folder):
    path = folder / "model.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/weights/weight_0", bytes(1 << 24))
    with pytest.raises(UnsafeBundle, match="grow"):
        open_model(sealed(folder))


def test_a_deep_or_broken_graph(folder):
    for data in (b"[" * 100_000, b"{}", b"null", b"\xff"):
        with pytest.raises(BundleError):
            open_model(rewritten(folder, lambda entries, data=data: entries.update({entry(entries, GRAPH): data})))
