import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zhuji.nn.ctc import Search, aligned, greedy, losses

LETTERS = 3
"""Beside the blank."""


def told_by(path):
    merged = [id for place, id in enumerate(path) if place == 0 or id != path[place - 1]]
    return tuple(id for id in merged if id)


def every(log_p):
    """Log of the probability of each text, from every path one by one."""
    found = {}
    for path in product(range(log_p.shape[1]), repeat=len(log_p)):
        score = log_p[range(len(path)), path].sum()
        found[told_by(path)] = np.logaddexp(found.get(told_by(path), -np.inf), score)
    return found


def drawn(frames, seed=0, sharpness=1.5):
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=(frames, LETTERS + 1))
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def rows(texts, lengths, seed=0):
    torch.manual_seed(seed)
    logits = torch.randn(len(texts), max(lengths), LETTERS + 1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    letters = torch.full((len(texts), max(map(len, texts))), -1)
    for row, text in enumerate(texts):
        letters[row, : len(text)] = torch.tensor(text, dtype=torch.int64)
    return logits, mask, letters


TEXTS = [(1, 2), (2, 2), (), (3,), (1, 1, 1), (3, 2, 1, 2)]


def test_the_loss_is_that_of_every_path():
    """1e-5: float32 against float64."""
    logits, mask, letters = rows(TEXTS, [5, 3, 4, 1, 6, 4])
    found, fits = losses(logits, mask, letters)
    assert fits.all()
    for row, text in enumerate(TEXTS):
        log_p = logits[row, mask[row]].double().log_softmax(-1).numpy()
        assert found[row].item() == pytest.approx(-every(log_p)[text], abs=1e-5)


def test_the_loss_and_its_slope_are_those_of_torch():
    logits, mask, letters = rows(TEXTS, [7, 6, 5, 8, 6, 8])
    logits.requires_grad_()
    found, _ = losses(logits, mask, letters)
    sizes = torch.tensor([len(text) for text in TEXTS])
    theirs = F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), letters.clamp_min(0), mask.sum(1), sizes, reduction="none")
    torch.testing.assert_close(found, theirs)
    (ours,), (other,) = (torch.autograd.grad(loss.sum(), logits) for loss in (found, theirs))
    torch.testing.assert_close(ours, other)


def test_what_does_not_fit_is_told_and_teaches_nothing():
    logits, mask, letters = rows([(1, 2, 3), (2, 2), (1, 2), (2, 2), (1,), ()], [2, 2, 2, 3, 0, 0])
    logits.requires_grad_()
    found, fits = losses(logits, mask, letters)
    assert fits.tolist() == [False, False, True, True, False, False]
    assert found.isfinite().all() and not found[~fits].any()
    (slope,) = torch.autograd.grad(found.sum(), logits)
    assert slope.isfinite().all() and not slope[~fits].any() and slope[fits].any()


def test_padding_changes_no_loss():
    logits, mask, letters = rows(TEXTS, [5, 3, 4, 1, 6, 4])
    wider = F.pad(logits, (0, 0, 0, 5), value=9.0)
    expected, _ = losses(logits, mask, letters)
    found, _ = losses(wider, F.pad(mask, (0, 5)), F.pad(letters, (0, 2), value=-1))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("seed", range(12))
def test_a_wide_beam_finds_the_most_probable_text(seed):
    log_p = drawn(6, seed, sharpness=0.4 + seed % 4)
    texts = every(log_p)
    best = max(texts, key=texts.get)
    found = Search(len(texts))(log_p)
    assert found[0].ids == best and found[0].score == pytest.approx(texts[best], abs=1e-9)
    assert {heard.ids: pytest.approx(heard.score, abs=1e-9) for heard in found} == texts
    assert [heard.score for heard in found] == sorted((heard.score for heard in found), reverse=True)


def test_greedy_takes_the_best_path_and_the_beam_may_know_better():
    log_p = np.log(np.array([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]]))
    texts = every(log_p)
    assert greedy(log_p) == () and max(texts, key=texts.get) == Search(9)(log_p)[0].ids != ()
    assert greedy(np.log(np.eye(3)[[1, 1, 0, 1, 2, 2, 0]] + 1e-9)) == (1, 1, 2)
    assert greedy(np.zeros((0, 3))) == ()


def bigram(texts):
    """One that has a preference, and is not that of the sounds."""
    table = np.random.default_rng(5).dirichlet(np.ones(LETTERS + 1), LETTERS + 1)
    return np.log(np.stack([table[ids[-1] if ids else 0] for ids in texts]))


@pytest.mark.parametrize("weight", [0.0, 0.7, 3.0])
def test_a_language_model_and_a_bonus_count_as_they_should(weight):
    log_p, bonus = drawn(5, 3), np.array([0.0, 0.2, -0.1, 0.9])

    def score(ids, heard):
        said = sum(bigram([ids[:place]])[0][id] for place, id in enumerate(ids)) + bigram([ids])[0][0]
        return heard + weight * said + sum(bonus[list(ids)]) if ids else heard + weight * said

    expected = {ids: score(ids, heard) for ids, heard in every(log_p).items()}
    alone = {heard.ids: heard.score for heard in Search(len(expected), bonus=bonus)(log_p)}
    assert alone == {ids: pytest.approx(heard + sum(bonus[list(ids)]), abs=1e-9) for ids, heard in every(log_p).items()}
    found = Search(len(expected), language=bigram, weight=weight, bonus=bonus)(log_p)
    assert {heard.ids: pytest.approx(heard.score, abs=1e-9) for heard in found} == expected
    assert found[0].ids == max(expected, key=expected.get)


def test_few_texts_are_open_and_those_are_by_all_that_counts():
    """One frame and one beam: what a language model or a bonus prefers is kept, though it is heard less clearly."""
    log_p, bonus = np.log(np.array([[0.1, 0.5, 0.4]])), np.array([0.0, 0.0, 2.0])
    assert Search(1)(log_p)[0].ids == (1,) and Search(1, bonus=bonus)(log_p)[0].ids == (2,)

    def language(texts):
        return np.log(np.tile([0.4, 0.1, 0.5], (len(texts), 1)))

    assert [heard.ids for heard in Search(1, language=language, weight=1.0)(log_p)] == [(2,)]


def test_a_text_is_asked_about_once_and_few_are_open():
    asked = []

    def language(texts):
        asked.extend(texts)
        return bigram(texts)

    found = Search(4, language=language, weight=0.5)(drawn(12))
    assert len(asked) == len(set(asked)) and len(found) == 4


def test_memory_is_that_of_the_texts_that_are_open():
    """Of all texts that were looked at it would be 22 MB: of twice the frames there are twice as many, twice as long."""
    tracemalloc.start()
    found = Search(8)(drawn(1_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found[0].ids) > 300 and peak < 2 << 20


def test_unlikely_letters_are_left_out():
    log_p = drawn(8, sharpness=4.0)
    wide, narrow = (Search(64, least=least)(log_p) for least in (-np.inf, np.log(1e-3)))
    assert narrow[0].ids == wide[0].ids and len(narrow) <= len(wide)
    assert narrow[0].score <= wide[0].score + 1e-12


@pytest.mark.parametrize("ids", [(1,), (1, 1), (1, 2, 2), (3, 1, 2), ()])
def test_letters_stand_where_the_best_path_has_them(ids):
    log_p = drawn(6, 2)
    found = aligned(log_p, ids)
    paths = [path for path in product(range(LETTERS + 1), repeat=6) if told_by(path) == ids]
    best = max(paths, key=lambda path: log_p[range(6), path].sum())
    runs, last = [], 0
    for place, id in enumerate(best):
        if id and id != last:
            runs.append([place, place + 1])
        elif id:
            runs[-1][1] = place + 1
        last = id
    assert found.tolist() == runs
    with pytest.raises(AssertionError):
        aligned(log_p[:1], (1, 1))


def test_an_alignment_keeps_a_byte_for_each_letter_in_each_frame():
    """Of 2,000 frames and 1,801 states; nothing else of that size."""
    log_p = drawn(2_000)
    ids = [1 + place % LETTERS for place in range(900)]
    tracemalloc.start()
    assert len(aligned(log_p, ids)) == 900
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 2_000 * 1_801
