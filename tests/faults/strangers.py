"""Every folder of a stranger that the tests know, by name: what is done to a whole bundle (`folder`), beside which an empty place
(`outside`) stands that nobody may touch."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.faults.hostile import FILES, sealed, write_hashes
from tests.faults.test_hostile_contents import CONFIGS, GOLDEN, TOKENIZERS, reconfigured
from tests.faults.test_hostile_weights import HEADERS, WEIGHTS, reheaded, reweighed

Stranger = Callable[[Path, Path], Any]
"""`(folder, outside)`: what is done to a whole bundle."""
CASES: dict[str, Stranger] = {}
JSON_FILES = [name for name in FILES if name.endswith(".json") and name != "hashes.json"]
SEALED = [name for name in FILES if name != "hashes.json"]


def case(kind: str, names: Any = ("",)) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a case of `change(folder, outside)`, or one of `change(folder, outside, name)` for each name."""

    def known(change: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            CASES[f"{kind}: {name}" if name else kind] = (
                (lambda folder, outside, name=name: change(folder, outside, name)) if name else change
            )
        return change

    return known


class Bomb:
    """What would tell that a pickle was run."""

    def __init__(self, outside: Path) -> None:
        self.outside = outside

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.outside / "ran"),))


@case("pickle", FILES)
def _pickle(folder: Path, outside: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Bomb(outside)))


@case("pickle with matching hashes", SEALED)
def _sealed_pickle(folder: Path, outside: Path, name: str) -> None:
    _pickle(folder, outside, name)
    sealed(folder)


@case("more of a pickle behind the weights")
def _behind(folder: Path, outside: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(pickle.dumps(Bomb(outside)))
    sealed(folder)


@case("path", ["../outside.json", "/etc/passwd", "b/../../x.json", "..\\x.json", "tokenizer.json\0", "..", ".", ""])
def _path(folder: Path, outside: Path, name: str = "") -> None:
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes[name] = hashes.pop("tokenizer.json")
    write_hashes(folder, hashes)


@case("link", FILES)
def _link(folder: Path, outside: Path, name: str) -> None:
    shutil.move(folder / name, outside / name)
    (folder / name).symlink_to(outside / name)


@case("link to a device", FILES)
def _device(folder: Path, outside: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")


@case("pipe", FILES)
def _pipe(folder: Path, outside: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


@case("folder in place of a file", FILES)
def _folder(folder: Path, outside: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()


@case("run whose bundle is a link")
def _run(folder: Path, outside: Path) -> None:
    shutil.move(folder, outside / "elsewhere")
    folder.mkdir()
    (folder / "bundle").symlink_to(outside / "elsewhere")


@case("size bomb", FILES)
def _bomb(folder: Path, outside: Path, name: str) -> None:
    """A sparse file of 8 GiB takes no disk; reading it whole would take the machine."""
    os.truncate(folder / name, 8 << 30)
    hashes = json.loads((folder / "hashes.json").read_text(errors="ignore").rstrip("\0") if name != "hashes.json" else "{}")
    if hashes:
        hashes[name]["bytes"] = 8 << 30
        write_hashes(folder, hashes)


@case("a thousand files")
def _many(folder: Path, outside: Path) -> None:
    for number in range(1000):
        (folder / f"a{number}.json").touch()


DEEP = {
    "lists": b"[" * 100_000,
    "objects": b'{"a":' * 100_000,
    "closed lists": b"[" * 500 + b"]" * 500,
    "digits": b"1" * 10_000,
}


@case("deep JSON", [f"{what} in {name}" for what in DEEP for name in (*JSON_FILES, "golden.jsonl")])
def _deep(folder: Path, outside: Path, name: str) -> None:
    what, _, file = name.partition(" in ")
    (folder / file).write_bytes(DEEP[what])
    sealed(folder)


@case("deep JSON in hashes.json", DEEP)
def _deep_hashes(folder: Path, outside: Path, name: str) -> None:
    (folder / "hashes.json").write_bytes(DEEP[name])


@case("changed byte", FILES)
def _byte(folder: Path, outside: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)


@case("cut off", FILES)
def _cut(folder: Path, outside: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])


@case("missing", FILES)
def _missing(folder: Path, outside: Path, name: str) -> None:
    (folder / name).unlink()


@case("hash of another file", SEALED)
def _hash(folder: Path, outside: Path, name: str) -> None:
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes[name]["sha256"] = "0" * 64
    write_hashes(folder, hashes)


@case(
    "code beside it",
    ["model.py", "modeling_evil.py", "pytorch_model.bin", "sitecustomize.py", "zhuji.pth", "__init__.py", ".hidden"],
)
def _code(folder: Path, outside: Path, name: str) -> None:
    (folder / name).write_text(f"import os\nos.mkdir({str(outside / 'ran')!r})\n")
    sealed(folder)


WISHES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "auto_map": lambda c: c.update(auto_map={"AutoModel": "modeling_evil.Evil"}),
    "trust_remote_code": lambda c: c.update(trust_remote_code=True),
    "architectures": lambda c: c.update(architectures=["os.system"]),
    "target": lambda c: c["backbone"].update(_target_="os.system"),
    "module": lambda c: c["modality"].update(name="zhuji.tools.doctor"),
    "python/object": lambda c: c["clean"].update({"!!python/object/apply:os.system": ["true"]}),
    **CONFIGS,
}


@case("config.json asks for", WISHES)
def _wish(folder: Path, outside: Path, name: str) -> None:
    reconfigured(folder, WISHES[name])


@case("golden rows", GOLDEN)
def _golden(folder: Path, outside: Path, name: str) -> None:
    (folder / "golden.jsonl").write_text(GOLDEN[name])
    sealed(folder)


@case("golden rows that the model does not answer so")
def _other_answers(folder: Path, outside: Path) -> None:
    rows = [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]
    labels = sorted(rows[0]["scores"])
    for row in rows:
        row["answer"] = next(label for label in labels if label != row["answer"])
    (folder / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sealed(folder)


@case("tokenizer", TOKENIZERS)
def _tokenizer(folder: Path, outside: Path, name: str) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    TOKENIZERS[name](tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    sealed(folder)


@case("weights", WEIGHTS)
def _weights(folder: Path, outside: Path, name: str) -> None:
    reweighed(folder, lambda tensors: made if isinstance(made := WEIGHTS[name](tensors), dict) else tensors)


@case("NaN in every tensor")
def _nan(folder: Path, outside: Path) -> None:
    reweighed(folder, lambda tensors: {name: torch.full_like(one, float("nan")) for name, one in tensors.items()})


@case("header of the weights", HEADERS)
def _header(folder: Path, outside: Path, name: str) -> None:
    reheaded(folder, HEADERS[name])


@case("declared length of the header", ["0", "1", str(2**24 + 1), str(2**40), str(2**63), str(2**64 - 1)])
def _length(folder: Path, outside: Path, name: str) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(int(name).to_bytes(8, "little") + path.read_bytes()[8:])
    sealed(folder)
