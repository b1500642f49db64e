"""Models of `transformers` give the same logits here, and ours the same there: fp32, padded batches of unequal lengths.

Tolerance: 1e-4 of the largest logit; the worst seen is 2e-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.huggingface_folders import SHAPE, TEXTS, close, ours, quiet, saved, theirs, transformers
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Task
from zhuji.core.errors import UnreadableModel
from zhuji.core.lookup import build, names
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.model.huggingface import read, write
from zhuji.model.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = {"id2label": {0: "bad", 1: "good", 2: "so-so"}, "label2id": {"bad": 0, "good": 1, "so-so": 2}}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "BertForMaskedLM", {}),
    ("bert", "BertForPreTraining", {}),
    ("bert", "BertForSequenceClassification", NAMES),
    ("bert", "BertForTokenClassification", NAMES),
    ("bert", "BertModel", {"hidden_act": "gelu_new"}),
    ("roberta", "RobertaForMaskedLM", {}),
    ("roberta", "RobertaForSequenceClassification", {**NAMES, "problem_type": "multi_label_classification"}),
    ("roberta", "RobertaForTokenClassification", NAMES),
    ("roberta", "RobertaModel", {}),
    ("distilbert", "DistilBertForMaskedLM", {}),
    ("distilbert", "DistilBertForSequenceClassification", NAMES),
    ("distilbert", "DistilBertForTokenClassification", NAMES),
    ("distilbert", "DistilBertModel", {"activation": "relu", "sinusoidal_pos_embds": True}),
    ("gpt2", "GPT2LMHeadModel", {"n_inner": 40}),
    ("llama", "LlamaForCausalLM", {}),
    ("llama", "LlamaForCausalLM", {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    ("mistral", "MistralForCausalLM", {}),
    ("qwen2", "Qwen2ForCausalLM", {"tie_word_embeddings": True}),
]
CASES = [case for case in CASES if "next_unit" in names(Task) or case[0] not in ("gpt2", "llama", "mistral", "qwen2")]


def ids(case: tuple[str, str, dict[str, Any]]) -> str:
    return "-".join([case[1], *(f"{key}" for key in case[2] if key not in NAMES)])


def logits_of(model: Any, tokenizer: Any) -> list[np.ndarray]:
    return theirs(_Masked(model) if type(model).__name__ == "BertForPreTraining" else model, tokenizer, TEXTS)


class _Masked:
    """BertForPreTraining, of whose two answers only the first has a counterpart."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, **inputs: Any) -> dict[str, torch.Tensor]:
        class Out(dict):
            __getattr__ = dict.__getitem__

        return Out(logits=self.model(**inputs).prediction_logits)


def loaded(folder: Path, architecture: str) -> Any:
    """With transformers, not one tensor missing or left over."""
    with quiet():
        model, told = getattr(transformers, architecture).from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"], told
    return model.eval()


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_theirs_here_and_back(case, tmp_path):
    kind, architecture, changes = case
    there, tokenizer = saved(kind, architecture, tmp_path, **changes)
    expected = logits_of(there, tokenizer)
    predictor = read(tmp_path)
    close(ours(predictor, TEXTS), expected)

    back = tmp_path / "back"
    written = write(predictor.model, back)
    tokenizer = transformers.AutoTokenizer.from_pretrained(back)
    close(logits_of(loaded(back, written), tokenizer), expected)
    close(ours(read(back), TEXTS), expected)


BERT = {
    "norm": "layer",
    "norm_place": "post",
    "positions": "learned",
    "feedforward": "gelu",
    "width": 32,
    "heads": 4,
    "layers": 2,
}
OURS = [
    ({**BERT, "segment_types": 2}, {"name": "masked_units"}, "BertForMaskedLM"),
    ({**BERT, "segment_types": 1, "max_positions": 64}, {"name": "contrast"}, "RobertaModel"),
    ({**BERT, "norm_eps": 1e-12}, {"name": "contrast"}, "DistilBertModel"),
    (BERT, {"name": "contrast"}, "BertModel"),
    (BERT, {"name": "tag", "labels": ["O", "B-X"]}, "BertForTokenClassification"),
    (
        {**BERT, "segment_types": 2},
        {"name": "classify", "labels": ["a", "b"], "counts": [1, 1], "pool": "first", "hidden": 32, "activation": "tanh"},
        "BertForSequenceClassification",
    ),
    ({"width": 32, "heads": 4, "kv_heads": 2, "layers": 2}, {"name": "next_unit"}, "LlamaForCausalLM"),
    ({**BERT, "norm_place": "pre", "feedforward": "gelu_tanh"}, {"name": "next_unit"}, "GPT2LMHeadModel"),
]
OURS = [case for case in OURS if case[1]["name"] in names(Task)]


@pytest.mark.parametrize(("body", "task", "architecture"), OURS, ids=lambda case: case if isinstance(case, str) else "")
@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe"])
def test_what_was_made_here_there(body, task, architecture, tokenizer, tmp_path):
    settings = {
        "tokenizer": tokenizer,
        "vocab_size": 400,
        "max_units": 40,
        "wrap": "start" if task["name"] == "next_unit" else "both",
    }
    text = Text.parse(settings).fit(TEXTS)
    if task["name"] == "masked_units":
        task = {**task, "norm_eps": 1e-5}
    model = assemble(text, Transformer.parse(body), build(Task, task), seed=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        if "masked" in task["name"]:
            # The two share their only vector for what is hidden.
            model.encoder.stem.table.weight[text.spec.mask] = model.head.mask
    assert write(model, tmp_path / "there") == architecture
    there = transformers.AutoTokenizer.from_pretrained(tmp_path / "there")
    close(theirs(loaded(tmp_path / "there", architecture), there, TEXTS), ours(Predictor(model), TEXTS))
    close(ours(read(tmp_path / "there"), TEXTS), ours(Predictor(model), TEXTS))


def test_a_hidden_token_looks_the_same_from_both_sides(tmp_path):
    there, tokenizer = saved("bert", "BertForMaskedLM", tmp_path)
    predictor = read(tmp_path)
    sentence = "the [MASK] sat on the [MASK]."
    row = predictor.model.modality.encode_masked(sentence)
    assert row.ids.tolist() == tokenizer(sentence)["input_ids"]
    with torch.no_grad():
        logits = there(torch.tensor(row.ids[None]).long()).logits[0]
    places = [place for place, id in enumerate(row.ids) if id == tokenizer.mask_token_id]
    allowed = [id for id in range(logits.shape[-1]) if id not in tokenizer.all_special_ids]
    best = [allowed[int(logits[place, allowed].argmax())] for place in places]
    model = predictor.model
    with torch.no_grad():
        (answer,) = model.task.decode(model.outputs(collate(model, [row], None, row.length)))
    assert list(answer.answer) == best


def test_labels_keep_their_order_and_kind(tmp_path):
    saved("bert", "BertForSequenceClassification", tmp_path, **NAMES)
    answer = next(read(tmp_path).predict(["筑基"]))
    assert list(answer.scores) == ["bad", "good", "so-so"]
    assert sum(answer.scores.values()) == pytest.approx(1)


def test_sharded_weights(tmp_path):
    there, tokenizer = saved("bert", "BertForMaskedLM", tmp_path)
    whole = ours(read(tmp_path), TEXTS)
    with quiet():
        there.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
        tokenizer.save_pretrained(tmp_path / "parts")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 2
    assert all(np.array_equal(a, b) for a, b in zip(ours(read(tmp_path / "parts"), TEXTS), whole, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_read_in_full(dtype, tmp_path):
    there, tokenizer = saved("bert", "BertForMaskedLM", tmp_path)
    with quiet():
        there.to(dtype).save_pretrained(tmp_path)
    close(ours(read(tmp_path), TEXTS), theirs(there.float(), tokenizer, TEXTS))


REFUSED = [
    ("bert", "BertForMaskedLM", {"is_decoder": True}, "is_decoder"),
    ("bert", "BertForNextSentencePrediction", {}, "BertForNextSentencePrediction"),
    ("bert", "BertForSequenceClassification", {"num_labels": 1}, "regression"),
    ("bert", "BertForMaskedLM", {"hidden_act": "silu"}, "hidden_act"),
    ("bert", "BertForMaskedLM", {"hidden_act": "relu"}, "gelu"),
    ("gpt2", "GPT2LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
    ("gpt2", "GPT2ForSequenceClassification", {"pad_token_id": 0}, "GPT2ForSequenceClassification"),
    ("llama", "LlamaForCausalLM", {"head_dim": 16}, "head_dim"),
    (
        "llama",
        "LlamaForCausalLM",
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
        "rope_parameters",
    ),
    ("mistral", "MistralForCausalLM", {"sliding_window": 8}, "sliding_window"),
]


@pytest.mark.parametrize(("kind", "architecture", "changes", "told"), REFUSED, ids=[f"{a}-{t}" for _, a, _, t in REFUSED])
def test_what_has_no_counterpart_is_refused_by_name(kind, architecture, changes, told, tmp_path):
    saved(kind, architecture, tmp_path, **changes)
    with pytest.raises(UnreadableModel, match=told):
        read(tmp_path)


def test_an_unknown_family_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mixtral", **SHAPE}))
    with pytest.raises(UnreadableModel, match="mixtral"):
        read(tmp_path)
