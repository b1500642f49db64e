"""Names in texts: span F1 of the recipe `tagger` on two small sets of posts, three seeds each, beside the two simple taggers.

    python benchmarks/tagging.py --weibo zh_weibo_ner --twitter en_twitter_ner --work FOLDER

Weibo NER has its published split. Of the Broad Twitter Corpus section F tests, section H validates and the others but H and F train, as its
authors say. Every run is an ordinary `zhuji train FOLDER --model tagger --leaks allow`: the published splits are kept although some test posts
repeat a training post, and the last column is the score without these. One that is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from machine import record, table

BROAD = {"train": "abeg", "valid": "h", "test": "f"}
"""Sections of the Broad Twitter Corpus."""
NAMES = {"usual_tag": "usual tag of a word", "shape_svm": "linear SVM over spelling and neighbours"}


def broad(sections: Path, folder: Path) -> Path:
    """The sections as the files train, valid and test."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, names in BROAD.items():
        with open(folder / f"{split}.conll", "wb") as file:
            for name in names:
                with open(sections / f"{name}.conll", "rb") as section:
                    shutil.copyfileobj(section, file)
                file.write(b"\n\n")
    return folder


def trained(data: Path, folder: Path, seed: int, sets: list[str]) -> dict[str, Any]:
    """`results.json` of a run, which is trained if it is not finished."""
    if not (folder / "results.json").exists():
        options = ["--model", "tagger", "--leaks", "allow", "--seed", str(seed), "--run-dir", str(folder)]
        more = [word for pair in ("train.threads=1", *sets) for word in ("--set", pair)]
        begin = [sys.executable, "-m", "zhuji", "train", str(data), *options, *more]
        go_on = [sys.executable, "-m", "zhuji", "resume", str(folder)]
        subprocess.run(go_on if (folder / "start.json").exists() else begin, check=True)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def clean(facts: dict[str, Any]) -> str:
    found = facts.get("without_leaks", {}).get("span_f1")
    return "-" if found is None else f"{found['value']:.4f}"


def lines(runs: list[dict[str, Any]]) -> list[list[object]]:
    """One line a seed, their mean, then the simple taggers, which know no chance."""
    rows: list[list[object]] = [
        [f"tagger, seed {seed}", f"{facts['valid']['span_f1']['value']:.4f}", interval(facts["test"]["span_f1"]), clean(facts),
         f"{facts['seconds']:.0f}"]
        for seed, facts in enumerate(runs)
    ]  # fmt: skip
    ours = np.array([facts["test"]["span_f1"]["value"] for facts in runs])
    valid = np.mean([facts["valid"]["span_f1"]["value"] for facts in runs])
    deviation = f" ± {ours.std(ddof=1):.4f}" if len(ours) > 1 else ""
    rows.append(["**tagger, mean**", f"{valid:.4f}", f"**{ours.mean():.4f}**{deviation}", "", ""])
    rivals = runs[0]["baselines"]
    return rows + [[NAMES.get(name, name), "", interval(scores["span_f1"]), "", ""] for name, scores in rivals.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weibo", type=Path, required=True)
    parser.add_argument("--twitter", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    asked = parser.parse_args()
    sets = {"Weibo NER": asked.weibo, "Broad Twitter Corpus": broad(asked.twitter, asked.work / "broad")}
    body = list[str]()
    for name, data in sets.items():
        place = asked.work / data.name
        runs = [trained(data, place.with_name(f"{place.name}-{seed}"), seed, asked.sets) for seed in range(asked.seeds)]
        head = ["model", "valid", "test span F1 (95 % interval)", "without leaked rows", "seconds"]
        about = f"{runs[0]['notes']['span_f1']}; {runs[0]['model']['parameters'] / 1e6:.2f} M parameters"
        body += [f"## {name}", about, table(head, lines(runs))]
    command = f"python benchmarks/tagging.py --weibo {asked.weibo.name} --twitter {asked.twitter.name} --work FOLDER"
    record("tagging", "Tagging: names in posts", "\n\n".join(body), command)


if __name__ == "__main__":
    main()
