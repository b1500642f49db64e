import pytest

from tests.formats.made import exported, predictor
from zhuji.core.errors import UnwritableModel
from zhuji.formats import find, open_model
from zhuji.model.huggingface import looks_like
from zhuji.model.parity import hop


def test_what_is_read_again_answers_as_before_with_inputs_cleaned_as_before():
    folder, golden = exported("bert", "huggingface"), predictor("bert").golden
    assert looks_like(folder)
    opened, limit = find("huggingface").open(folder, predictor("bert"))
    assert hop("huggingface", golden, opened.predict, limit).passed
    # By itself the folder says nothing of cleaning: what was soiled is answered otherwise.
    assert not hop("huggingface", golden, open_model(folder).predict, limit).passed


def test_of_no_family(tmp_path):
    with pytest.raises(UnwritableModel):
        find("huggingface").write(predictor("bag"), tmp_path / "x")
