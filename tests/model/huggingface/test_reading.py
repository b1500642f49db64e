"""Folders of others: what is right is read, what is not is refused with a reason, and nothing in them is run."""

import json
import os
import pickle

import pytest
import torch

from tests.model.huggingface import made_pictures, made_sounds
from tests.model.huggingface.made import folder, model, reconfigure, retensor, states
from zhuji.core.errors import BundleError, DamagedBundle, NotABundle, UnreadableModel, UnsafeBundle
from zhuji.model.bundle import open_bundle, save
from zhuji.model.huggingface import looks_like, read, reads


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama"])
def test_what_was_written_is_read_again(family, tmp_path):
    made = model(family)
    again = read(folder(tmp_path / "there", family)).model
    assert again.task == made.task
    torch.testing.assert_close(states(again), states(made), rtol=0, atol=1e-6)


def test_a_folder_of_theirs_is_told_from_a_bundle(tmp_path):
    predictor = read(folder(tmp_path / "there"))
    save(predictor.model, tmp_path / "ours", clean=predictor.clean, roles=predictor.roles)
    assert looks_like(tmp_path / "there") and not looks_like(tmp_path / "ours") and not looks_like(tmp_path / "nowhere")
    torch.testing.assert_close(states(open_bundle(tmp_path / "ours").model), states(predictor.model), rtol=0, atol=0)


def test_texts_are_left_as_they_are(tmp_path):
    clean = read(folder(tmp_path / "there")).clean
    assert not any((clean.encoding, clean.unicode, clean.control, clean.whitespace))


def test_a_bare_encoder_is_read_as_embeddings(tmp_path):
    path = folder(tmp_path / "there")
    (path / "modules.json").unlink()
    assert read(path).model.task.name() == "contrast"


def test_a_last_norm_that_is_missing_is_told(tmp_path, capsys):
    path = folder(tmp_path / "there")
    modules = json.loads((path / "modules.json").read_text())[:2]
    (path / "modules.json").write_text(json.dumps(modules))
    read(path)
    assert "length 1" in capsys.readouterr().err


@pytest.mark.parametrize(("make", "kind", "inputs"), [
    (folder, "bert", "texts"), (made_pictures.folder, "vit", "pictures"), (made_sounds.folder, "whisper", "sounds"),
])  # fmt: skip
def test_what_a_model_reads_is_known_before_it_is_opened(make, kind, inputs, tmp_path):
    path = make(tmp_path / "there", kind)
    assert reads(path) == inputs == read(path).model.modality.reads
    for weights in path.glob("*.safetensors"):
        weights.unlink()
    assert reads(path) == inputs


class TestRefused:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(NotABundle, match="not a folder"):
            read(tmp_path / "nowhere")
        with pytest.raises(NotABundle, match=r"config\.json"):
            read(tmp_path)

    def test_more_blocks_than_weights(self, tmp_path):
        with pytest.raises(DamagedBundle, match="1000000 blocks"):
            read(folder(tmp_path / "there", num_hidden_layers=1_000_000))

    @pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "intermediate_size", "max_position_embeddings"])
    @pytest.mark.parametrize("value", [0, -1, 1 << 40, "8", 8.0, None, True, [8]])
    def test_impossible_sizes(self, key, value, tmp_path):
        with pytest.raises(BundleError):
            read(folder(tmp_path / "there", **{key: value}))

    @pytest.mark.parametrize("changes", [{"hidden_size": 4096 * 1024}, {"hidden_size": 16}, {"num_attention_heads": 3}])
    def test_sizes_that_the_weights_do_not_have(self, changes, tmp_path):
        with pytest.raises(BundleError):
            read(folder(tmp_path / "there", **changes))

    def test_a_tensor_is_missing(self, tmp_path):
        path = folder(tmp_path / "there")
        retensor(path, encoder__layer__0__output__dense__weight=None)
        with pytest.raises(DamagedBundle, match=r"encoder\.layer\.0\.output\.dense\.weight"):
            read(path)

    def test_a_tensor_too_many(self, tmp_path):
        path = folder(tmp_path / "there")
        retensor(path, encoder__layer__0__adapter__weight=torch.zeros(2, 2))
        with pytest.raises(UnreadableModel, match="adapter"):
            read(path)

    def test_numbers_that_are_not_finite(self, tmp_path):
        path = folder(tmp_path / "there")
        retensor(path, embeddings__LayerNorm__bias=torch.full((8,), torch.nan))
        with pytest.raises(DamagedBundle, match="finite"):
            read(path)

    def test_a_tied_table_that_is_another(self, tmp_path):
        path = folder(tmp_path / "there", task={"name": "masked_units", "norm_eps": 1e-5})
        retensor(path, cls__predictions__decoder__weight=torch.zeros(read(path).model.modality.spec.num_ids, 8))
        with pytest.raises(UnreadableModel, match="decoder"):
            read(path)

    def test_pickled_weights_are_never_opened(self, tmp_path):
        path = folder(tmp_path / "there")
        (path / "model.safetensors").unlink()

        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "sprung"),)

        (path / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(UnreadableModel, match="save_pretrained"):
            read(path)
        assert not (tmp_path / "sprung").exists()

    def test_code_is_told_and_not_run(self, tmp_path, capsys):
        path = folder(tmp_path / "there", auto_map={"AutoModel": "modeling_trap.Trap"})
        (path / "modeling_trap.py").write_text("raise SystemExit('sprung')")
        read(path)
        assert "auto_map" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "1_Pooling"])
    def test_links(self, name, tmp_path):
        path = folder(tmp_path / "there")
        (path / name).rename(tmp_path / "elsewhere")
        (path / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UnsafeBundle, match="link"):
            read(path)

    @pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 5000, '{"a": NaN}', '{"a": 1, "a": 2}', "\ud800"])
    def test_broken_configs(self, content, tmp_path):
        path = folder(tmp_path / "there")
        (path / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
        with pytest.raises(BundleError):
            read(path)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"model": {"type": "WordLevel", "vocab": {"a": 99999999}}}'])
    def test_broken_tokenizers(self, content, tmp_path):
        path = folder(tmp_path / "there")
        (path / "tokenizer.json").write_text(content)
        with pytest.raises(BundleError):
            read(path)

    def test_cut_off_weights(self, tmp_path):
        path = folder(tmp_path / "there")
        weights = (path / "model.safetensors").read_bytes()
        for length in (0, 7, 100, len(weights) - 1):
            (path / "model.safetensors").write_bytes(weights[:length])
            with pytest.raises(BundleError):
                read(path)

    def test_weights_that_lie_elsewhere(self, tmp_path):
        path = folder(tmp_path / "there")
        (path / "model.safetensors").rename(tmp_path / "model.safetensors")
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
        with pytest.raises(UnsafeBundle, match="weight_map"):
            read(path)
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "gone.safetensors"}}))
        with pytest.raises(DamagedBundle, match="gone"):
            read(path)

    @pytest.mark.parametrize("path_of", ["..", "/tmp", "a/b", "a\\b", 3, None])
    def test_modules_that_lie_elsewhere(self, path_of, tmp_path):
        path = folder(tmp_path / "there")
        modules = json.loads((path / "modules.json").read_text())
        modules[1]["path"] = path_of
        (path / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(UnsafeBundle):
            read(path)


def test_a_limit_of_the_tokenizer_holds(tmp_path):
    path = folder(tmp_path / "there")
    reconfigure(path, "sentence_bert_config.json", max_seq_length=5)
    assert read(path).model.modality.encode(["the cat sat on the mat"])[0].length == 5
