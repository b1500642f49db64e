"""The model card: what a model is, what it learned from, what it scores and where it must not be trusted (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zhuji.core.quantity import count_text

MOST_LABELS = 30


def card(results: Mapping[str, Any]) -> str:
    """Markdown from what a run's `results.json` holds: `name`, `test`, `baselines`, `ledger`, `leaks`, `fingerprint`, `labels`, `model`,
    `kind`, `version`; a part whose facts are not there is left out."""
    parts = [_what, _scores, _data, _limits, _use, _licence]
    return "\n\n".join(text for part in parts if (text := part(results))) + "\n"


def _what(results: Mapping[str, Any]) -> str:
    model, labels = results.get("model", {}), results.get("labels") or ()
    lines = [f"# {_plain(results.get('name', 'model'))}", ""]
    one = {"image": "a picture", "speech": "a sound"}.get(_modality(results), "a text")
    kinds = {
        "regress": f"gives a number for {one}", "classify_many": f"gives any number of labels to {one}", "detect": f"finds objects in {one}",
    }  # fmt: skip
    lines.append(f"A model that {kinds.get(str(results.get('kind')), f'gives one label to {one}')}.")
    made = [f"- {name}: {_plain(model[name])}" for name in ("modality", "backbone", "task") if name in model]
    if "parameters" in model:
        made.append(f"- parameters: {count_text(model['parameters'])} ({model['parameters']:,})")
    if results.get("version"):
        made.append(f"- made with: zhuji {_plain(results['version'])}")
    if labels:
        shown = ", ".join(_plain(label) for label in labels[:MOST_LABELS])
        rest = f" and {len(labels) - MOST_LABELS} more" if len(labels) > MOST_LABELS else ""
        made.append(f"- {len(labels)} labels: {shown}{rest}")
    return "\n".join([*lines, "", *made] if made else lines)


def _modality(results: Mapping[str, Any]) -> str:
    return str((results.get("model") or {}).get("modality"))


def _scores(results: Mapping[str, Any]) -> str:
    test: Mapping[str, Any] = results.get("test") or {}
    if not test:
        return ""
    systems = {"this model": test, **(results.get("baselines") or {})}
    head = ["## Test scores", "", "95 % bootstrap intervals over the test rows. Baselines saw the same training rows.", ""]
    table = [f"| metric | {' | '.join(_plain(name) for name in systems)} |", "|---" * (len(systems) + 1) + "|"]
    table += [f"| {metric} | {' | '.join(_interval(s.get(metric)) for s in systems.values())} |" for metric in test]
    clean = results.get("without_leaks")
    if clean:
        first = next(iter(test))
        table += ["", f"On the test rows that no training row resembles, {first} is {_interval(clean.get(first))}."]
    return "\n".join(head + table)


def _interval(score: Mapping[str, Any] | None) -> str:
    if not score or score.get("value") is None:
        return "–"
    value = f"{score['value']:.4g}"
    return value if score.get("low") is None else f"{value} [{score['low']:.4g}, {score['high']:.4g}]"


def _data(results: Mapping[str, Any]) -> str:
    ledger, leaks = results.get("ledger") or {}, results.get("leaks") or {}
    lines: list[str] = []
    if ledger:
        counted = (f"{ledger.get(fate, 0):,} {fate}" for fate in ("used", "cut", "dropped"))
        lines.append(f"- {ledger.get('read', 0):,} rows read: {', '.join(counted)}")
        rows: Sequence[Mapping[str, Any]] = ledger.get("rows", ())
        for split in ("train", "valid", "test"):
            if held := sum(row["rows"] for row in rows if row["split"] == split and row["fate"] != "dropped"):
                lines.append(f"- {split}: {held:,} rows")
    if leaks:
        found = ", ".join(f"{_plain(kind)}: {count}" for kind, count in sorted((leaks.get("found") or {}).items()) if count)
        lines.append(f"- leaks between the splits found before training: {found or 'none'}")
    for file, facts in sorted((results.get("fingerprint") or {}).items()):
        digest = facts.get("sha256") if isinstance(facts, Mapping) else facts
        lines.append(f"- file `{_plain(file)}`, SHA-256 `{_plain(digest)}`")
    return "\n".join(["## Data", "", *lines]) if lines else ""


_ELSEWHERE = {
    "image": "pictures of other cameras, places or times",
    "speech": "sounds of other voices, microphones or rooms",
    "text": "texts from elsewhere, later times or other languages",
}


def _limits(results: Mapping[str, Any]) -> str:
    weakest = sorted((row for row in results.get("per_class") or () if row["support"]), key=lambda row: row["f1"])[:3]
    lines = [
        f"- It knows what its training rows showed. On {_ELSEWHERE.get(_modality(results), _ELSEWHERE['text'])} its scores do not hold.",
        "- `golden.jsonl` holds some rows of the test data as they are: remove private rows from the data before you hand it on.",
    ]
    if results.get("kind") == "classify_many":
        lines.append("- It cannot name a label that is not in the list above; each label is judged for itself.")
    elif results.get("kind") != "regress":
        lines.append("- It always gives one of the labels above, also to what none of them fits; look at the score.")
    if weakest:
        named = ", ".join(f"{_plain(row['label'])} (F1 {row['f1']:.2f}, {row['support']} rows)" for row in weakest)
        lines.append(f"- Weakest classes on the test rows: {named}.")
    return "\n".join(["## Limits", "", *lines])


def _use(results: Mapping[str, Any]) -> str:
    files = {"image": ("picture.jpg", "folder"), "speech": ("sound.wav", "folder")}
    one, more = files.get(_modality(results), ('"a text"', "more.csv"))
    return f"""## Use

```sh
zhuji predict BUNDLE {one}
zhuji evaluate BUNDLE {more}
```

```python
import zhuji

model = zhuji.load("BUNDLE")
print(list(model.predict(["{one.strip('"')}"])))
```

`BUNDLE` is the folder that holds this file."""


def _licence(results: Mapping[str, Any]) -> str:
    return """## Licence

The weights are yours to license. They were learned from the data above: check what its licence allows."""


def _plain(value: object) -> str:
    """One line that cannot break out of a table or start a tag."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
