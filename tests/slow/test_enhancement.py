"""A run that learns to clean sounds, from a folder to a bundle that does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import zhuji
from tests.heard import spoken_folder, tone, written
from zhuji.core.files import read_json
from zhuji.model.bundle import open_bundle

pytestmark = pytest.mark.slow
pytest.importorskip("soundfile")
SETS = (
    "modality={name: waveform, rate: 8000, hop: 0.008, window: 0.016}", "backbone={name: recurrent, cell: gru, width: 16, hidden: 16}",
    "task={name: enhance, overlap: 2}", "train.threads=1", "train.precision=fp32", "evaluate.bootstrap=20", "train.optim.lr=0.01",
)  # fmt: skip


def test_from_a_folder_to_clean_files(tmp_path: Path) -> None:
    data, noise = spoken_folder(tmp_path / "data"), tmp_path / "noise"
    for number, part in enumerate(("train", "train", "valid", "test")):
        written(noise / part / f"{number}.wav", np.random.default_rng(number).standard_normal(8_000).astype(np.float32) * 0.1)
    found = zhuji.train(data, epochs=20, run_dir=tmp_path / "run", sets=(*SETS, f"task.noise_folder={noise}"))
    test = found.test
    rivals = found.baselines
    assert test["si_sdr"]["value"] > rivals["mixture"]["si_sdr"]["value"] + 2 and "si_sdr" in rivals["wiener"]
    assert "no baseline" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert read_json(found.run / "results.json")["bad_steps"] == 0
    again = zhuji.evaluate(tmp_path / "run")
    assert again.scores["si_sdr"].value == pytest.approx(test["si_sdr"]["value"], abs=1e-6)
    # The bundle cleans without the folder of noise, which it names and never reads.
    for file in noise.rglob("*.wav"):
        file.unlink()
    clean = tone(300, 1.0)
    given = clean + 0.1 * np.random.default_rng(9).standard_normal(len(clean)).astype(np.float32)
    written(tmp_path / "in" / "a.wav", given)
    told = zhuji.enhance(found.bundle, tmp_path / "in", tmp_path / "out")
    assert told.done[0].seconds == 1.0 and (tmp_path / "out" / "a.wav").exists()
    golden = open_bundle(found.bundle).golden
    assert golden and all(isinstance(row["answer"], list) for row in golden)
    assert len(json.dumps([row["answer"] for row in golden])) < 100_000


def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    from zhuji.core.errors import Interrupted
    from zhuji.training import loop

    data = spoken_folder(tmp_path / "data")
    sets = (*SETS, "train.rehearse=false", "evaluate.baselines=false")
    whole = zhuji.train(data, epochs=3, run_dir=tmp_path / "whole", sets=sets)
    real, steps = loop._step, [0]

    def stopping(work, state, players, batches):
        steps[0] += 1
        if steps[0] == 2:
            raise Interrupted(step=1, run="x")
        real(work, state, players, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_step", stopping)
        with pytest.raises(Interrupted):
            zhuji.train(data, epochs=3, run_dir=tmp_path / "cut", sets=sets)
    cut = zhuji.resume(tmp_path / "cut")
    told = [read_json(one.run / "results.json") for one in (cut, whole)]
    assert told[0]["history"] == told[1]["history"] and told[0]["test"] == told[1]["test"]
