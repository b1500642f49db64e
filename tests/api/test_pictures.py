"""Models that make pictures, from Python."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

import zhuji
from tests import pictured
from tests.painter import painter
from zhuji.api import pictures as api
from zhuji.core.errors import BadSetting, ImpossiblePair


def test_only_a_model_that_makes_pictures_draws(tmp_path: Path) -> None:
    with pytest.raises(ImpossiblePair, match="learned to make pictures"):
        zhuji.draw(pictured.result().run, tmp_path / "out", label="red")
    with pytest.raises(BadSetting):
        zhuji.draw(pictured.result().run, tmp_path / "out", count=0)


def test_realism_lies_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = api.opened
    monkeypatch.setattr(api, "opened", lambda model: painter(0.2) if Path(model) == tmp_path else real(model))
    shutil.copytree(pictured.result().run, tmp_path, dirs_exist_ok=True)
    found = zhuji.realism(tmp_path, pictured.result().run, count=12, seed=1)
    assert found.rows["drawn"] == 12 and found.settings["seed"] == 1
    assert {path.name for path in (tmp_path / "realism").iterdir()} == {"realism.json", "realism.html", "pairs.png"}


@cache
def trained() -> zhuji.Result:
    """A variational autoencoder after two looks at its pictures: what it draws is poor, and it is drawn all the same."""
    parts = (
        "modality={name: image, size: [8, 8], patch: 2}", "backbone={name: strided, channels: 8, widths: [16]}",
        "task={name: generate, kind: vae, latent: 4, width: 8}",
    )  # fmt: skip
    return zhuji.train(
        pictured.data(), epochs=2, run_dir=pictured.folder() / "vae", sets=(*pictured.FAST, *parts, "data.max_dropped=0.1")
    )


def test_a_trained_model_draws_and_is_measured(tmp_path: Path) -> None:
    made = zhuji.draw(trained().run, tmp_path / "out", count=4, label=["red", "蓝"], seed=2)
    assert made.by_class == {"red": 2, "蓝": 2}
    again = zhuji.draw(trained().bundle, tmp_path / "more", count=2, label=["red", "蓝"], seed=2)
    for name in again.files:
        assert (made.folder / name).read_bytes() == (again.folder / name).read_bytes()
    found = zhuji.realism(trained().run, pictured.result().run, count=12, out=tmp_path / "real")
    assert found.scores["frechet"]["drawn"] and (tmp_path / "real" / "realism.html").is_file()
    assert found.hashes["run"] == made.model
