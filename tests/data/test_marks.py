import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from zhuji.core.records import Picture
from zhuji.data import marks
from zhuji.data.marks import DISTANCE, cluster_of, exact_key, marked, similarity, thumbnails

RANDOM = np.random.default_rng(0)


def scene(seed: int, size: tuple[int, int] = (96, 128)) -> Image.Image:
    """Smooth colours, as photographs have them."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)


def of(image: Image.Image, form: str = "PNG", **how: object) -> Picture:
    file = io.BytesIO()
    image.save(file, form, **how)
    return marked(Picture(data=file.getvalue()))[0]


def clusters(pictures: list[Picture], near: float = 0.8) -> list[int]:
    return cluster_of(pictures, near).tolist()


def test_copies_that_look_the_same_are_found_and_others_are_not() -> None:
    scenes = [scene(seed) for seed in range(40)]
    first = scenes[0]
    copies = {
        "jpeg": of(first, "JPEG", quality=60), "half": of(first.resize((64, 48))), "bright": of(ImageEnhance.Brightness(first).enhance(1.05)),
        "grey edge": of(first.crop((1, 1, 127, 95))),
    }  # fmt: skip
    found = clusters([of(one) for one in scenes] + list(copies.values()))
    assert len(set(found[:40])) == 40, "strangers were joined"
    assert dict.fromkeys(copies, found[0]) == dict(zip(copies, found[40:], strict=True))


def test_equal_bytes_are_exact_copies_at_any_threshold() -> None:
    a, b, other = of(scene(0)), of(scene(0)), of(scene(0), "JPEG", quality=60)
    assert exact_key(a) == exact_key(b) != exact_key(other)
    assert clusters([a, b, other], near=0) == [0, 0, 1]


def test_plain_pictures_differ_by_their_colour() -> None:
    white, black, nearly = (of(Image.new("L", (50, 50), level)) for level in (255, 0, 250))
    found = clusters([white, black, nearly])
    assert found[0] == found[2] != found[1]
    assert similarity([white, black, nearly], [0, 0], [1, 2]).tolist() == [0.0, 1.0]


def test_the_similarity_is_what_its_definition_says() -> None:
    pictures = [of(scene(seed)) for seed in range(3)]
    thumbs = thumbnails(pictures).astype(float)
    for (i, j), got in zip(combinations(range(3), 2), similarity(pictures, [0, 0, 1], [1, 2, 2]), strict=True):
        a, b = thumbs[i] - thumbs[i].mean(), thumbs[j] - thumbs[j].mean()
        far = np.abs(thumbs[i].reshape(-1, 3).mean(0) - thumbs[j].reshape(-1, 3).mean(0)).max() > marks.DARKER
        expected = 0.0 if far else max(0.0, 1 - 2 * np.abs(a - b).mean() / max(a.std(), b.std()))
        assert got == pytest.approx(expected, abs=1e-5)  # float32 sums of 192 numbers


def test_all_pairs_of_hashes_that_are_near_are_candidates() -> None:
    """Against all pairs, one by one; some hashes are made to be near others."""
    hashes = RANDOM.integers(0, 2**63, 300, dtype=np.uint64)
    for i in range(100):
        flips = RANDOM.choice(64, int(RANDOM.integers(0, 10)), replace=False)
        hashes[200 + i] = hashes[i] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64), initial=np.uint64(0))
    expected = {(i, j) for i, j in combinations(range(300), 2) if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= DISTANCE}
    found = [pair for left, right in marks._candidates(hashes) for pair in zip(left.tolist(), right.tolist(), strict=True)]
    assert len(found) == len(set(found))
    assert set(found) == expected and len(expected) > 40


def test_few_pairs_at_a_time_are_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    band = RANDOM.integers(0, 5, 60, dtype=np.uint64)
    expected = {(i, j) for i, j in combinations(range(60), 2) if band[i] == band[j]}
    for size in (1, 7, 1 << 20):
        monkeypatch.setattr(marks, "_AT_ONCE", size)
        pairs = [
            tuple(sorted(p))
            for left, right in marks._equal_pairs(band)
            for p in zip(left.tolist(), right.tolist(), strict=True)
        ]
        assert len(pairs) == len(expected) and set(pairs) == expected


def test_where_many_hashes_are_alike_more_likeness_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = [of(scene(1)), of(scene(1), "JPEG", quality=10)]
    alike = float(similarity(pair, [0], [1])[0])
    near = alike - 0.01
    assert clusters(pair, near) == [0, 0]
    monkeypatch.setattr(marks, "CROWD", 1)
    assert clusters(pair, near) == ([0, 0] if alike >= (1 + near) / 2 else [0, 1])
    assert clusters(pair, 2 * alike - 1 + 0.001) == [0, 1]


def test_none_and_one() -> None:
    assert cluster_of([], 0.8).tolist() == []
    assert clusters([of(scene(0))]) == [0]
    assert similarity([], [], []).tolist() == []
