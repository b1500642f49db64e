import math

import pytest
import torch

from zhuji.nn.positions import LearnedPlaces, LearnedPositions, Rotary, positions, rotate, sinusoids


def test_positions_count_real_units_only():
    mask = torch.tensor([[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=torch.bool)
    assert positions(mask).tolist() == [[0, 1, 2, 2], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_rotation_keeps_lengths_and_leaves_position_zero_alone():
    states = torch.randn(1, 2, 3, 8)
    turned = rotate(states, *Rotary(8).angles(torch.tensor([[0, 1, 9]])))
    torch.testing.assert_close(turned.norm(dim=-1), states.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], states[:, :, 0])
    assert not torch.allclose(turned[:, :, 1], states[:, :, 1])


def test_rotation_keeps_the_type_of_the_states():
    states = torch.randn(1, 1, 2, 4, dtype=torch.bfloat16)
    assert rotate(states, *Rotary(4).angles(torch.tensor([[0, 3]]))).dtype == torch.bfloat16


def test_rotary_frequencies_are_not_saved():
    assert not Rotary(4).state_dict()


def test_learned_positions_are_added_and_the_last_one_is_shared():
    learned = LearnedPositions(3, 2)
    out = learned(torch.zeros(1, 4, 2), torch.tensor([[0, 2, 3, 50]]))
    assert torch.equal(out[0], learned.table[[0, 2, 2, 2]])


def test_positions_begin_anew_in_each_document():
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0]], dtype=torch.bool)
    segments = torch.tensor([[3, 3, 1, 1, 1, 7], [0, 0, -1, 0, 1, -1]])
    assert positions(mask, segments).tolist() == [[0, 1, 0, 1, 2, 0], [0, 1, 1, 2, 0, 0]]


def test_one_document_is_counted_as_without_numbers():
    mask = torch.rand(5, 9) < 0.5
    assert torch.equal(positions(mask, torch.zeros(5, 9, dtype=torch.long)), positions(mask))


def test_sinusoids_of_two_axes_by_hand() -> None:
    table = sinusoids((3, 5), 8)
    assert table.shape == (3, 5, 8)
    for row in range(3):
        for column in range(5):
            places = [row, row / 100, column, column / 100]
            wave = [[math.sin(p) for p in pair] + [math.cos(p) for p in pair] for pair in (places[:2], places[2:])]
            assert table[row, column].tolist() == pytest.approx(wave[0] + wave[1], abs=1e-6)
    assert torch.equal(sinusoids((4,), 7)[:, 6], torch.zeros(4)) and sinusoids((2, 2), 3).count_nonzero() == 0


def test_learned_places() -> None:
    places = LearnedPlaces(2, 3, 4)
    out = places(torch.zeros(1, 3, 4, 4))[0]
    assert torch.equal(out[:2, :3], places.table)
    assert torch.equal(out[2, :3], places.table[1]) and torch.equal(out[1, 3], places.table[1, 2])
