"""Bundles whose hashes are right and whose weights are a stranger's: tensors, the header that describes them, its length."""

import json
import os

import pytest
import torch
from safetensors.torch import load, save

from tests.faults.hostile import sealed, write_hashes
from zhuji.core.errors import BundleError, DamagedBundle
from zhuji.model.bundle import open_bundle


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


def test_huge_weights_are_refused_by_their_header(folder):
    os.truncate(folder / "model.safetensors", 64 << 30)
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes["model.safetensors"]["bytes"] = 64 << 30
    write_hashes(folder, hashes)
    with pytest.raises(DamagedBundle, match="tensors need"):
        open_bundle(folder)
