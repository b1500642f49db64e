"""The folders of sentence-transformers."""

import json

import pytest

from tests.model.huggingface.made import folder, reconfigure
from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.model.huggingface.sentence import read, written


@pytest.mark.parametrize("pool", ["mean", "first", "max", "last"])
def test_what_is_written_is_read(pool, tmp_path):
    for name, data in written(pool, 8, 12):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(data)
    found = read(tmp_path)
    assert (found.pool, found.normalise, found.limit, found.lowercase) == (pool, True, 12, False)


def test_no_modules_no_sentences(tmp_path):
    assert read(tmp_path) is None


def test_a_pooling_that_they_have_not_is_refused():
    with pytest.raises(UnwritableModel, match="attention"):
        dict(written("attention", 8, 12))


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}, "pooling"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_mean_sqrt_len_tokens": True}, "sqrt"),
        ("1_Pooling/config.json", {"pooling_mode": "weightedmean"}, "weightedmean"),
        ("config_sentence_transformers.json", {"prompts": {"q": "query: "}, "default_prompt_name": "q"}, "prompt"),
    ],
)
def test_what_has_no_counterpart_is_refused(name, changes, told, tmp_path):
    path = folder(tmp_path / "there")
    reconfigure(path, name, **changes)
    with pytest.raises(UnreadableModel, match=told):
        read(path)


@pytest.mark.parametrize("modules", [[], {}, [1], [{"type": "os.Pooling", "path": ""}], "Transformer"])
def test_other_modules_are_refused(modules, tmp_path):
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UnreadableModel):
        read(tmp_path)
