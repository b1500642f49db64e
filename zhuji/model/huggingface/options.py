"""A stranger's config.json, asked one question at a time: what is answered in a way that we cannot follow is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from zhuji.core.errors import UnreadableModel
from zhuji.core.log import in_language, say

T = TypeVar("T")

LARGEST = 1 << 24

_IDLE = frozenset({
    "architectures", "attention_dropout", "attention_probs_dropout_prob", "attn_pdrop", "auto_map", "bad_words_ids",
    "begin_suppress_tokens", "bos_token_id", "chunk_size_feed_forward", "classifier_dropout", "classifier_dropout_prob",
    "custom_pipelines", "directionality", "diversity_penalty", "do_sample", "dropout", "dtype", "early_stopping",
    "embd_pdrop", "eos_token_id", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing",
    "hidden_dropout", "hidden_dropout_prob", "id2label", "initializer_range", "keys_to_ignore_at_inference", "label2id",
    "length_penalty", "max_length", "max_window_layers", "min_length", "model_type", "n_ctx", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_labels", "num_return_sequences", "output_attentions", "output_hidden_states",
    "output_past", "output_scores", "pad_token_id", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
    "pooler_size_per_head", "pooler_type", "pretraining_tp", "problem_type", "qa_dropout", "remove_invalid_values",
    "reorder_and_upcast_attn", "repetition_penalty", "resid_pdrop", "return_dict", "return_dict_in_generate", "sep_token_id",
    "seq_classif_dropout", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj", "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class",
    "top_k", "top_p", "torch_dtype", "torchscript", "transformers_version", "typical_p", "use_bfloat16", "use_cache",
})  # fmt: skip
"""Keys that change no answer, or are read where they matter."""


class Options:
    """The keys of a config.json at `path`."""

    def __init__(self, data: Mapping[str, Any], path: Path) -> None:
        self.data, self.path = data, path
        self._asked = set[str]()

    def refuse(self, key: str, rule_en: str, rule_zh: str, value: object) -> UnreadableModel:
        return UnreadableModel(file=self.path, why=in_language(f"'{key}' {rule_en}", f"「{key}」{rule_zh}"), value=value)

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return self.data.get(key, default)

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number above zero."""
        value = self.get(key, default)
        if type(value) is not int or not 0 < value <= LARGEST:
            raise self.refuse(key, "must be a whole number above 0", "必须是大于 0 的整数", value)
        return value

    def real(self, key: str, default: float) -> float:
        value = self.get(key, default)
        if type(value) not in (int, float):
            raise self.refuse(key, "must be a number", "必须是数值", value)
        return float(value)

    def one_of(self, key: str, known: Mapping[Any, T], default: Any) -> T:
        """What the answer means to us."""
        value = self.get(key, default)
        if not isinstance(value, str | int | bool | None) or value not in known:
            names = ", ".join(map(str, known))
            raise self.refuse(key, f"must be one of: {names}", f"必须是以下之一：{names}", value)
        return known[value]

    def only(self, key: str, *accepted: Any, default: Any = None) -> None:
        """Refuse all other answers. Without an answer `default` holds."""
        value = self.get(key, default)
        if not any(value == wanted and type(value) is type(wanted) for wanted in accepted):
            shown = "/".join(map(str, accepted))
            raise self.refuse(key, f"must be {shown}", f"必须是 {shown}", value)

    def tell_rest(self) -> None:
        """Keys that nobody asked for may mean something to the code that wrote them: a person should hear of them."""
        if "auto_map" in self.data:
            say(
                in_language(
                    f"{self.path}: it names code of its own (auto_map), which is not run.",
                    f"{self.path}：它指定了自带代码（auto_map），不会执行。",
                )
            )
        rest = sorted(key for key in self.data if not (key.startswith("_") or key in self._asked | _IDLE))
        if rest:
            listed = ", ".join(rest)
            say(
                in_language(
                    f"{self.path}: not known and passed over: {listed}.", f"{self.path}：未知的设置，已略过：{listed}。"
                )
            )
