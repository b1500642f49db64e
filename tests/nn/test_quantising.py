"""The quantiser against a loop over vectors, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zhuji.core.seed import stream
from zhuji.core.units import Units
from zhuji.nn.quantising import RandomQuantiser, stacked


def by_loop(values: np.ndarray, projection: np.ndarray, codebook: np.ndarray) -> list[int]:
    """Section 3.1 as it is written: argmin of the distance between what is projected and each code, both of length 1."""
    found = []
    for row in values:
        y = [math.fsum(float(x) * float(a) for x, a in zip(row, column, strict=True)) for column in projection.T]
        length = math.sqrt(math.fsum(v * v for v in y))
        distances = []
        for code in codebook:
            size = math.sqrt(math.fsum(float(c) * float(c) for c in code))
            distances.append(math.sqrt(math.fsum((float(c) / size - v / length) ** 2 for c, v in zip(code, y, strict=True))))
        found.append(distances.index(min(distances)))
    return found


def test_codes_are_those_of_a_loop() -> None:
    quantiser = RandomQuantiser(channels=12, codes=50, width=5, seed=3)
    values = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    found = quantiser(torch.from_numpy(values))
    assert found.tolist() == by_loop(values, quantiser.projection.numpy(), quantiser.codebook.numpy())
    assert len(set(found.tolist())) > 10


def test_projection_and_codebook_come_from_streams_of_their_own() -> None:
    quantiser = RandomQuantiser(6, 7, 4, seed=5)
    raw = stream(5, "quantiser", "codebook").standard_normal((7, 4))
    np.testing.assert_allclose(quantiser.codebook, raw / np.linalg.norm(raw, axis=1, keepdims=True), rtol=1e-6)
    limit = math.sqrt(6 / 10)
    np.testing.assert_allclose(
        quantiser.projection, stream(5, "quantiser", "projection").uniform(-limit, limit, (6, 4)), rtol=1e-6
    )
    torch.manual_seed(0)
    again = RandomQuantiser(6, 7, 4, seed=5)
    assert torch.equal(again.codebook, quantiser.codebook) and torch.equal(again.projection, quantiser.projection)
    assert not torch.equal(RandomQuantiser(6, 7, 4, seed=6).codebook, quantiser.codebook)


def test_nothing_of_it_learns_and_all_of_it_travels() -> None:
    quantiser = RandomQuantiser(6, 7, 4, seed=0)
    assert not list(quantiser.parameters()) and set(quantiser.state_dict()) == {"projection", "codebook"}


def test_codes_do_not_hang_on_the_shape_of_a_batch() -> None:
    quantiser = RandomQuantiser(320, 1024, 16, seed=0)
    values = torch.randn(200, 320, generator=torch.Generator().manual_seed(0))
    whole = quantiser(values)
    assert torch.equal(whole, torch.cat([quantiser(row[None]) for row in values]))
    assert torch.equal(whole[::3], quantiser(values[::3]))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_stacks_hold_the_values_of_their_units(size: int) -> None:
    values, mask = torch.randn(2, 5, 3), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    found = stacked(Units(mask, values=values), size)
    pieces = -(-5 // size)
    assert found.values is not None and found.values.shape == (2, pieces, size * 3)
    assert found.mask.tolist() == mask[:, ::size].tolist()
    for row in range(2):
        for piece in range(pieces):
            for place in range(size):
                unit = piece * size + place
                expected = values[row, unit] if unit < 5 and mask[row, unit] else torch.zeros(3)
                assert torch.equal(found.values[row, piece, 3 * place : 3 * place + 3], expected)
