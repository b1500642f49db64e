"""A whole bundle, for strangers to tamper with."""

import shutil

import pytest

from zhuji.core.contracts import Backbone, Modality
from zhuji.core.lookup import build, find
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import bundle
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify


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
