"""A model that somebody broke on its way, with hashes made to fit: every fault is caught when the folder is opened, none at the user's. Those of
the network are planted in each format in which it is held."""

import contextlib
import hashlib
import io
import json
import shutil
import zipfile

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import numpy_helper

from tests.faults.hostile import sealed
from tests.formats.made import exported
from zhuji.core.errors import AnswersDiffer, BundleError
from zhuji.formats import open_model

FORMATS = ("safetensors", "onnx", "torch-export")
HEAD, TABLE = "head.out.weight", "encoder.stem.table.weight"


@pytest.fixture(params=FORMATS)
def folder(request, tmp_path):
    shutil.copytree(exported("bag", request.param), tmp_path / request.param)
    return tmp_path / request.param


# ---------------------------------------------------------------------------------------- around the network


def config(change):
    def plant(folder):
        path = folder / "config.json"
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))
        (folder / "labels.json").write_text(json.dumps(told["task"]["labels"]))

    return plant


def turned(told):
    told["task"]["labels"] = told["task"]["labels"][1:] + told["task"]["labels"][:1]


def other_tokenizer(folder):
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text())
    vocab = told["model"]["vocab"]
    special = {token["content"] for token in told["added_tokens"]}
    words = [word for word in vocab if word not in special]
    ids = [vocab[word] for word in words]
    vocab.update(zip(words, ids[1:] + ids[:1], strict=True))
    path.write_text(json.dumps(told, ensure_ascii=False))


AROUND = {
    "labels shuffled": config(turned),
    "labels turned around": config(lambda told: told["task"]["labels"].reverse()),
    "wrong tokenizer": other_tokenizer,
    "controls stay": config(lambda told: told["clean"].update(control=False)),
    "no Unicode form": config(lambda told: told["clean"].update(unicode=None)),
    "mojibake stays": config(lambda told: told["clean"].update(encoding=False)),
    "shorter inputs": config(lambda told: told["modality"].update(max_units=3)),
    "longer inputs": config(lambda told: told["modality"].update(max_units=100)),
    "fewer runs": config(lambda told: told["modality"].update(ngrams=2)),
    "other threshold and many labels": config(lambda told: told["task"].update(many=True)),
}  # fmt: skip


def learned(name, change):
    """Plant a change to what a modality learned, which the file `name` holds."""

    def plant(folder):
        path = folder / name
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))

    return plant


OF_PICTURES = {
    "stretched in place of padded": config(lambda told: told["modality"].update(resize="fit")),
    "cropped in place of padded": config(lambda told: told["modality"].update(resize="crop")),
    "another size": config(lambda told: told["modality"].update(size=[8, 8])),
    "missing normalisation": learned("pixels.json", lambda told: told.update(mean=[0.0] * 3, deviation=[1.0] * 3)),
    "normalised by ImageNet": learned("pixels.json", lambda told: told.update(mean=[0.485, 0.456, 0.406], deviation=[0.229, 0.224, 0.225])),
    "red and blue exchanged": learned("pixels.json", lambda told: told.update(mean=told["mean"][::-1], deviation=told["deviation"][::-1])),
    "labels shuffled": config(turned),
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- in the network


def network_file(folder):
    return next(folder / name for name in ("model.safetensors", "model.onnx", "model.pt2") if (folder / name).exists())


def weights(change):
    """Plant a change to the weights by name, whatever format holds them."""

    def plant(folder):
        path = network_file(folder)
        {".safetensors": _safetensors, ".onnx": _onnx, ".pt2": _pt2}[path.suffix](path, change)

    return plant


def _safetensors(path, change):
    tensors = safetensors.torch.load(path.read_bytes())
    found = {name: torch.from_numpy(np.array(change(name, tensor.numpy().copy()))) for name, tensor in tensors.items()}
    path.write_bytes(safetensors.torch.save(found))


def _onnx(path, change):
    model = onnx.load_model_from_string(path.read_bytes())
    for tensor in model.graph.initializer:
        name = tensor.name.removeprefix("model.")
        tensor.CopyFrom(numpy_helper.from_array(change(name, numpy_helper.to_array(tensor).copy()), tensor.name))
    path.write_bytes(model.SerializeToString())


def _pt2(path, change):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    listing = json.loads(next(data for name, data in entries.items() if name.endswith("model_weights_config.json")))["config"]
    for name, told in listing.items():
        place = next(entry for entry in entries if entry.endswith(f"data/weights/{told['path_name']}"))
        shape = [size["as_int"] for size in told["tensor_meta"]["sizes"]]
        old = np.frombuffer(entries[place], np.float32)[: int(np.prod(shape))].reshape(shape).copy()
        entries[place] = change(name.removeprefix("model."), old).astype(np.float32).tobytes() + entries[place][old.nbytes :]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    path.write_bytes(target.getvalue())


def only(wanted, change):
    return weights(lambda name, array: change(array) if name == wanted else array)


def with_nan(array):
    array.flat[0] = np.nan
    return array


def cut(folder):
    path = network_file(folder)
    path.write_bytes(path.read_bytes()[:-200])


def changed_byte(folder):
    path = network_file(folder)
    data = bytearray(path.read_bytes())
    place = data.find(np.float32(1).tobytes()) if path.suffix == "none" else len(data) // 2
    data[place] ^= 0x55
    path.write_bytes(bytes(data))


WITHIN = {
    "scaled weights": weights(lambda name, array: array * np.float32(1.01) if array.dtype == np.float32 else array),
    "a scaled head": only(HEAD, lambda array: array * np.float32(0.9)),
    "swapped rows of the head": only(HEAD, lambda array: array[[1, 0, *range(2, len(array))]]),
    "a head that is turned around": only(HEAD, lambda array: -array),
    "a shuffled table": only(TABLE, lambda array: array[::-1].copy()),
    "a table of zeros": only(TABLE, lambda array: array * 0),
    "NaN in the head": only(HEAD, with_nan),
    "NaN everywhere": weights(lambda name, array: array * np.float32("nan") if array.dtype == np.float32 else array),
    "truncated weights": cut,
}  # fmt: skip


def test_untouched_they_open(folder):
    assert open_model(folder).golden
    assert open_model(sealed(folder)).golden


def test_planting_alone_changes_nothing(folder):
    """What the faults below do to a folder besides their fault is not what is caught."""
    weights(lambda name, array: array)(folder)
    config(lambda told: None)(folder)
    assert open_model(sealed(folder)).golden


def test_every_fault_is_caught(folder):
    missed, untouched = list[str](), folder.with_name("untouched")
    shutil.copytree(folder, untouched)
    for name, plant in {**AROUND, **WITHIN}.items():
        shutil.rmtree(folder)
        shutil.copytree(untouched, folder)
        before = digest(folder)
        plant(folder)
        assert digest(folder) != before, f"{name} changes nothing"
        with contextlib.suppress(BundleError):
            open_model(sealed(folder))
            missed.append(name)
    assert not missed, f"{len(missed)} of {len(AROUND) + len(WITHIN)} faults are not caught: {missed}"


def test_without_hashes_that_fit_the_hash_tells(folder):
    for plant in (changed_byte, cut, AROUND["wrong tokenizer"]):
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        plant(copy)
        with pytest.raises(BundleError):
            open_model(copy)
        shutil.rmtree(copy)


def test_golden_rows_tell_which_row_differs(folder):
    AROUND["labels shuffled"](folder)
    with pytest.raises(AnswersDiffer, match=r"row \d+: after the hop 'reload'.*expected"):
        open_model(sealed(folder))


def digest(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fault", OF_PICTURES)
def test_every_fault_of_pictures_is_caught(tmp_path, format, fault):
    folder = tmp_path / "b"
    shutil.copytree(exported("pictures", format), folder)
    assert open_model(sealed(folder)).golden
    before = digest(folder)
    OF_PICTURES[fault](folder)
    assert digest(folder) != before
    with pytest.raises(BundleError):
        open_model(sealed(folder))
