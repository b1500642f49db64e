"""Masked-LM pretraining with `transformers.Trainer`: the peer of `pretrain_throughput.py`, one turn of so many real tokens at a time.

    python benchmarks/peers/hf_pretrain.py --text train.txt --tokenizer FOLDER --out FOLDER --tokens 1000000 [--best]

Defaults: batches of 8 as they come, padded to the longest of each, fp32, AdamW at 5e-5 falling linearly. `--best`: bf16, texts grouped by
length, batches of 64, fused AdamW, a tuned rate with warm-up.
With `--lockstep` a turn begins with a line on standard input; each turn prints one JSON line {"tokens": …, "seconds": …}.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

LENGTH = 128


class Texts(torch.utils.data.Dataset):
    """Tokenised beforehand, cut to 128."""

    def __init__(self, path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
        self.rows = tokenizer(lines, truncation=True, max_length=LENGTH, return_token_type_ids=False)["input_ids"]
        self.lengths = [len(row) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        return {"input_ids": self.rows[index], "length": self.lengths[index]}


class Counting(DataCollatorForLanguageModeling):
    """Counts the real tokens that it hands out."""

    def __post_init__(self, *more: object) -> None:
        super().__post_init__(*more)
        self.tokens = 0

    def torch_call(self, examples: list) -> dict:
        batch = super().torch_call([{"input_ids": row["input_ids"]} for row in examples])
        self.tokens += int(batch["attention_mask"].sum())
        return batch


class Turns(TrainerCallback):
    """Stops the clock and waits after so many tokens; ends the training after all of them."""

    def __init__(self, collator: Counting, turn: int, total: int, lockstep: bool) -> None:
        self.collator, self.turn, self.total, self.lockstep = collator, turn, total, lockstep
        self.tokens, self.began = 0, time.perf_counter()

    def wait(self) -> None:
        if self.lockstep:
            sys.stdin.readline()
        self.began = time.perf_counter()

    def on_train_begin(self, *_: object, **__: object) -> None:
        self.wait()

    def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
        done = self.collator.tokens - self.tokens
        control.should_training_stop = self.collator.tokens >= self.total
        if done >= self.turn or control.should_training_stop:
            print(json.dumps({"tokens": done, "seconds": time.perf_counter() - self.began}), flush=True)
            self.tokens = self.collator.tokens
            if not control.should_training_stop:
                self.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="a tokenizer.json with [PAD] 0 [UNK] 1 [CLS] 2 [SEP] 3 [MASK] 4"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--turn", type=int, default=50_000)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--lr", type=float, default=1e-3, help="with --best only")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lockstep", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(options.tokenizer),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    texts = Texts(options.text, tokenizer)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=options.width, num_hidden_layers=options.layers,
        num_attention_heads=options.heads, intermediate_size=4 * options.width, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(options.seed)
    model = BertForMaskedLM(config)
    common = {
        "output_dir": str(options.out / "trainer"), "report_to": [], "save_strategy": "no", "logging_strategy": "no",
        "disable_tqdm": True, "remove_unused_columns": False, "seed": options.seed, "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": False,
    }  # fmt: skip
    mean = sum(texts.lengths) / len(texts)
    rows = 64 if options.best else 8
    steps = int(options.tokens / (mean * rows)) + 1
    tuned = {
        "bf16": True, "per_device_train_batch_size": rows, "train_sampling_strategy": "group_by_length", "length_column_name": "length",
        "learning_rate": options.lr, "warmup_steps": max(1, steps // 10), "optim": "adamw_torch_fused",
    }  # fmt: skip
    best = tuned if options.best else {}
    collator = Counting(tokenizer, mlm_probability=0.15)
    turns = Turns(collator, options.turn, options.tokens, options.lockstep)
    settings = TrainingArguments(**common, max_steps=steps + 5, **best)
    print(
        json.dumps({"ready": True, "texts": len(texts), "mean_length": mean, "parameters": model.num_parameters()}), flush=True
    )
    Trainer(model, settings, data_collator=collator, train_dataset=texts, callbacks=[turns]).train()
    model.eval().save_pretrained(options.out / "model")
    tokenizer.save_pretrained(options.out / "model")


if __name__ == "__main__":
    main()
