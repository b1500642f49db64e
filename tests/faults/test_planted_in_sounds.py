"""A model over sounds that somebody broke on its way, with hashes made to fit: it hears by another rate, at another pace, or otherwise than it learned."""

import shutil

import pytest

from tests.faults.hostile import sealed
from tests.faults.test_planted_faults import config, digest, learned, turned
from tests.formats.test_of_sounds import predictor
from zhuji.core.errors import BundleError
from zhuji.formats import find, open_model

FAULTS = {
    "half the sample rate": config(lambda told: told["modality"].update(rate=told["modality"]["rate"] // 2)),
    "twice the sample rate": config(lambda told: told["modality"].update(rate=told["modality"]["rate"] * 2)),
    "another hop": config(lambda told: told["modality"].update(hop=told["modality"]["hop"] * 2)),
    "another scale": config(lambda told: told["modality"].update(scale="htk")),
    "missing normalisation": learned("sounds.json", lambda told: told.update(mean=[0.0] * 8, deviation=[1.0] * 8)),
    "labels shuffled": config(turned),
}


@pytest.fixture(scope="module", params=["safetensors", "onnx"])
def whole(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("sounds")
    find(request.param).write(predictor("gru", place), place / "whole")
    return place / "whole"


def test_untouched_it_opens(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "b")
    assert open_model(sealed(tmp_path / "b")).golden


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_sounds_is_caught(whole, tmp_path, fault):
    folder = tmp_path / "b"
    shutil.copytree(whole, folder)
    before = digest(folder)
    FAULTS[fault](folder)
    assert digest(folder) != before
    with pytest.raises(BundleError):
        open_model(sealed(folder))
