# pyright: basic
# (scikit-learn has no types to be strict about)
"""Simple ways to tag words, for a task to be compared with: what a word usually is, and a linear model over how words are written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from zhuji.core.contracts import Task
from zhuji.core.records import Record, named
from zhuji.data.tags import OUTSIDE
from zhuji.modalities.spelled import shape
from zhuji.tasks.tag import Tag, best_path

Tags = tuple[str, ...]


def usual_tags(task: Task, train: Sequence[Record], test: Sequence[Record]) -> list[Tags]:
    """The tag that each word bears most often; of words that training never met, `O`, or the most frequent tag where there is none."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in _rows(train):
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
    usual = {word: max(tags, key=lambda tag: (tags[tag], tag)) for word, tags in counts.items()}
    every = Counter(tag for tags in counts.values() for tag in tags.elements())
    unmet = OUTSIDE if OUTSIDE in every else every.most_common(1)[0][0]
    return [tuple(usual.get(word, unmet) for word in record.input) for record in test]


def shape_svm(task: Task, train: Sequence[Record], test: Sequence[Record]) -> list[Tags]:
    """A linear support vector machine for each word, over words, endings and shapes of it and its neighbours, then the best sequence that
    the scheme allows."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.svm import LinearSVC

    assert isinstance(task, Tag)
    hasher = FeatureHasher(n_features=1 << 20, input_type="string", alternate_sign=False)
    learn = hasher.transform(seen for words, _ in _rows(train) for seen in _features(words))
    number = {tag: i for i, tag in enumerate(task.labels)}
    target = np.array([number[tag] for _, tags in _rows(train) for tag in tags])
    scores = np.full((sum(len(record.input) for record in test), len(task.labels)), -np.inf)
    if len(met := np.unique(target)) > 1:
        model = LinearSVC(C=0.2, random_state=0).fit(learn, target)
        found = model.decision_function(hasher.transform(seen for record in test for seen in _features(record.input)))
        scores[:, model.classes_] = np.stack([-found, found], 1) if found.ndim == 1 else found
    else:
        scores[:, met] = 0.0
    ends = np.cumsum([len(record.input) for record in test])
    paths = (best_path(part, *task.transitions) for part in np.split(scores, ends[:-1]))
    return [tuple(task.labels[tag] for tag in path) for path in paths]


def _rows(records: Sequence[Record]) -> Iterator[tuple[Sequence[str], Tags]]:
    for record in records:
        if isinstance(record.label, tuple):
            yield record.input, named(record.label)


def _features(words: Sequence[str]) -> Iterator[list[str]]:
    lower, shapes = [word.lower() for word in words], [shape(word) for word in words]
    for place, word in enumerate(lower):
        seen = ["1", f"w={word}", f"s={shapes[place]}", f"a={word[:3]}", f"e={word[-3:]}", f"e2={word[-2:]}"]
        for step in (-2, -1, 1, 2):
            near = place + step
            inside = 0 <= near < len(words)
            seen += [f"{step}w={lower[near] if inside else ''}", f"{step}s={shapes[near] if inside else ''}"]
        if place:
            seen.append(f"-1+0={lower[place - 1]} {word}")
        if place + 1 < len(words):
            seen.append(f"0+1={word} {lower[place + 1]}")
        yield seen
