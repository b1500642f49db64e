"""What a format must be able to do, and the folder that formats share which hold a network: a bundle with the network's own files in place of
the weights, what goes in and comes out (`io.json`), and a program that uses it without this code (`client.py`).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from zhuji.core.config import Settings
from zhuji.core.errors import BundleError, DamagedBundle, MissingExtra
from zhuji.core.log import in_language
from zhuji.core.units import Units
from zhuji.formats._client import program
from zhuji.formats._network import Network
from zhuji.model import bundle, parity
from zhuji.model.predictor import Predictor, Runner
from zhuji.model.safety import MIB, parse_json, read_bytes

IO, CLIENT = bundle.EXPORTED, "client.py"
_NAME = r"^[A-Za-z_]\w{0,63}$"
_LIMITS = {IO: MIB, CLIENT: MIB}


class Port(Settings):
    """A tensor that goes in or comes out. `shape`: a number, or the name of an axis that may be of any size."""

    name: Annotated[str, Field(pattern=_NAME)]
    dtype: str
    shape: tuple[int | str, ...]


class Ports(Settings):
    """What io.json says. `before`: how a raw input becomes the inputs; `after`: how the outputs are read; `gap`: how far a score may be from the
    trained model's; `facts`: versions and the like."""

    format: str
    task: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    before: dict[str, Any]
    after: dict[str, Any]
    gap: Annotated[float, Field(ge=0, le=1)]
    facts: dict[str, str | int]


class Format(ABC):
    """Writes a model to a folder and opens it again."""

    loops: ClassVar[bool] = False
    """It can hold a model that writes unit by unit."""
    coarse: ClassVar[bool] = False
    """Its numbers are coarser than those of training."""
    packages: ClassVar[Mapping[str, str]] = {}
    """Packages that it needs, and the extra that brings each."""

    @classmethod
    def name(cls) -> str:
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @property
    def limit(self) -> float:
        """How far a score may be from the trained model's, where nothing else is asked for."""
        return parity.QUANTISED if self.coarse else parity.EXACT

    def require_packages(self) -> None:
        """Raises MissingExtra."""
        for package, extra in self.packages.items():
            if util.find_spec(package) is None:
                what = in_language(f"format '{self.name()}'", f"格式「{self.name()}」")
                raise MissingExtra(what=what, package=package, extra=extra)

    @abstractmethod
    def write(self, predictor: Predictor, folder: Path, gap: float | None = None) -> None:
        """A folder, which must not exist yet. `gap`: how far a score of it may be from the trained model's, of a coarse format; `limit` without
        it. Raises CannotExport, UnwritableModel."""

    @abstractmethod
    def open(self, folder: Path, like: Predictor | None = None) -> tuple[Predictor, float]:
        """What `write` wrote, and how far its scores may be off. `like`: the model it was written from, for what a format does not hold: how
        inputs are cleaned, golden rows."""


@dataclass(frozen=True)
class Opened:
    """Bytes of a network's files, and what goes in and out of it."""

    folder: Path
    files: Mapping[str, bytes]
    ports: Ports


class NetworkFormat(Format):
    """A format that holds a network: from what `Units` holds to what `Task.answers` gives."""

    files: ClassVar[tuple[str, ...]] = ()
    """The network's own files."""
    client: ClassVar[str] = ""
    """Which program for others comes along: `clients/NAME.txt`."""

    @abstractmethod
    def network(self, network: Network) -> tuple[dict[str, bytes], dict[str, str | int]]:
        """The network's own files, by name, and facts about them. Raises CannotExport."""

    @abstractmethod
    def runner(self, opened: Opened) -> Running:
        """What runs the files. Raises BundleError, and whatever its library does."""

    def write(self, predictor: Predictor, folder: Path, gap: float | None = None) -> None:
        self.require_packages()
        network = Network.of(predictor, self.name())
        files, facts = self.network(network)
        ports = Ports(
            format=self.name(), task=predictor.model.task.name(),
            gap=gap if self.coarse and gap is not None else self.limit, facts={"torch": torch.__version__, **facts},
            inputs=tuple(Port(**each) for each in network.inputs()), outputs=tuple(Port(**each) for each in network.outputs()),
            before={
                "modality": predictor.model.modality.described(), "clean": predictor.clean.plain(),
                "words": predictor.model.task.needs == "tags",
            },
            after=dict(predictor.model.task.reading()),
        )  # fmt: skip
        around = {**bundle.files_around(predictor), IO: _json(ports.plain()), CLIENT: program(self.client).encode()}
        bundle.write(folder, {**around, **files})

    def open(self, folder: Path, like: Predictor | None = None) -> tuple[Predictor, float]:
        self.require_packages()
        found = bundle.read(folder, {**dict.fromkeys(self.files, 0), **_LIMITS})
        ports = _ports(found.network[IO], found.folder / IO)
        opened = Opened(found.folder, {name: found.network[name] for name in self.files}, ports)
        running = bundle.guarded(folder / self.files[0], lambda: self.runner(opened))
        assert found.bare is not None
        predictor = found.predictor(found.bare)
        predictor.runner = _guarded_runner(running, ports, folder / self.files[0])
        return predictor, ports.gap


class Running(ABC):
    """An open network."""

    @abstractmethod
    def __call__(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """The outputs in the order of `Ports.outputs`, on the CPU."""


def _guarded_runner(running: Running, ports: Ports, path: Path) -> Runner:
    """A network of a stranger may stumble at any input: that is the folder's fault."""

    def run(units: Units) -> Any:
        given = {port.name: getattr(units, port.name) for port in ports.inputs}
        try:
            found = running(given)
        except BundleError:
            raise
        except Exception as error:
            told = " ".join(str(error).split())[:200] or type(error).__name__
            why = in_language(f"its network does not run: {told}", f"其网络无法运行：「{told}」")
            raise DamagedBundle(file=path, why=why) from error
        return read_outputs(found, [port.name for port in ports.outputs])

    return run


def read_outputs(found: Sequence[Tensor], names: Sequence[str]) -> Any:
    """As `Task.answers` gave them: a tensor by itself, or tensors by name."""
    return found[0] if list(names) == [Network.ALONE] else dict(zip(names, found, strict=True))


def declared(folder: Path) -> str:
    """The format that io.json names. Raises DamagedBundle."""
    return _ports(read_bytes(folder / IO, _LIMITS[IO]), folder / IO).format


def _ports(data: bytes, path: Path) -> Ports:
    plain = parse_json(data, path)
    ports = bundle.guarded(path, lambda: Ports.parse(plain))
    if not {port.name for port in ports.inputs} <= {*Units.__dataclass_fields__} or not ports.outputs:
        why = in_language("its inputs must be those of units, and there must be outputs", "其输入须为单元的字段，且须有输出")
        raise DamagedBundle(file=path, why=why)
    return ports


def _json(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()
