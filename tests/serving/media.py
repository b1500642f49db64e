"""Models of pictures and of sounds, made once a process without training, and how an input is sent to a server over them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tests import trained
from tests.serving import house
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find
from zhuji.core.records import Picture, Sound
from zhuji.data import pictures, sounds
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import golden
from zhuji.model.assembly import assemble
from zhuji.model.bundle import save
from zhuji.model.predictor import Predictor
from zhuji.serving.settings import ServeSettings


@dataclass(frozen=True)
class Medium:
    """`word`: under which an input is sent; `column`, `role`: of tables; `file`: name and type of one that is uploaded; `module`, `opens`: the function
    that opens every file of this kind."""

    word: str
    type: type[Picture] | type[Sound]
    modality: str
    backbone: str
    role: str
    column: str
    file: tuple[str, str]
    module: ModuleType
    opens: str

    def sent(self, raw: Any) -> dict[str, str]:
        """An input as it stands in a request."""
        return {self.word: base64.b64encode(self.module.read_bytes(raw)).decode()}

    def uploaded(self, raw: Any) -> dict[str, Any]:
        """The same as a file."""
        name, kind = self.file
        return {"file": (name, self.module.read_bytes(raw), kind)}


PICTURES = Medium("picture", Picture, "image", "resnet", "image", "image", ("a.PNG", "image/png"), pictures, "_file_bytes")
SOUNDS = Medium("sound", Sound, "speech", "recurrent", "sound", "file_name", ("a.WAV", "audio/wav"), sounds, "_file")


@cache
def raws(of: Medium) -> list[Any]:
    return find(Modality, of.modality).example()[1]


@cache
def bundle(of: Medium) -> Path:
    """A classifier."""
    modality, given = find(Modality, of.modality).example()
    torch.manual_seed(0)
    model = assemble(modality, find(Backbone, of.backbone).example(), find(Task, "classify").example().task).eval()
    roles, told = Roles(**{"text": (), of.role: of.column}), golden.told(Predictor(model), given)
    save(model, folder := trained.folder() / of.word, clean=CleanSettings(), roles=roles, golden=told)
    return folder


def told(of: Medium) -> ServeSettings:
    """Of a server over that classifier."""
    return house.settings(bundle(of))
