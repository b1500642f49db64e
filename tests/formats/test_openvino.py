import shutil

import pytest

from tests.faults.hostile import sealed
from tests.formats.made import exported, predictor
from zhuji.core.errors import BundleError
from zhuji.formats import open_model
from zhuji.model.parity import hop


def test_numbers_stay_in_float32_whatever_the_processor_prefers():
    opened = open_model(exported("bag", "openvino"))
    assert hop("openvino", predictor("bag").golden, opened.predict).gap < 1e-6


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_broken_file(name, tmp_path):
    shutil.copytree(exported("bag", "openvino"), tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(b"<net/>")
    with pytest.raises(BundleError):
        open_model(sealed(tmp_path / "copy"))
