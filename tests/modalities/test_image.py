import io
import json

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from zhuji.core.contracts import Prediction
from zhuji.core.errors import BadSetting
from zhuji.core.records import Box, Picture, Record
from zhuji.core.units import Batch
from zhuji.core.unreadable import BadPicture
from zhuji.modalities import image
from zhuji.modalities.image import Image
from zhuji.nn.pictures.variation import Variation

RANDOM = np.random.default_rng(0)


def written(array: np.ndarray) -> Picture:
    file = io.BytesIO()
    Pillow.fromarray(array).save(file, "PNG")
    return Picture(data=file.getvalue())


def noise(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def values(modality: Image, picture: Picture) -> np.ndarray:
    found = modality.encode([picture])[0].values
    assert found is not None
    return found


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    array = noise(8, 12)
    for resize in ("fit", "pad", "crop"):
        modality = Image(size=(8, 12), resize=resize).fit([written(array)])
        [row] = modality.encode([written(array)])
        assert row.values is not None and row.values.dtype == np.uint8 and np.array_equal(row.values, array)
        assert (row.cut, row.grid) == (0, (8, 12)) and row.frame is not None and row.frame.tolist() == [1, 1, 0, 0]


def test_fit_is_pillows_own_resizing() -> None:
    array = noise(50, 20)
    expected = Pillow.fromarray(array).resize((12, 8), Pillow.Resampling.BILINEAR)
    assert np.array_equal(values(Image(size=(8, 12)).fit([written(array)]), written(array)), np.asarray(expected))


def test_pad_keeps_the_shape_and_has_the_mean_around_it() -> None:
    array = noise(20, 40)
    modality = Image(size=(16, 16), resize="pad").fit([written(array)])
    [row] = modality.encode([written(array)])
    assert row.values is not None and row.frame is not None
    inside = np.asarray(Pillow.fromarray(array).resize((16, 8), Pillow.Resampling.BILINEAR))
    assert np.array_equal(row.values[4:12], inside)
    border = np.rint(np.array(modality.measured.mean) * 255)
    assert (row.values[:4] == border).all() and (row.values[12:] == border).all()
    assert row.frame.tolist() == pytest.approx([0.4, 0.4, 0, 4]) and row.cut == 0


def test_crop_takes_the_middle_and_counts_what_it_cut_off() -> None:
    array = noise(20, 40)
    modality = Image(size=(10, 10), resize="crop").fit([written(array)])
    [row] = modality.encode([written(array)])
    whole = np.asarray(Pillow.fromarray(array).resize((10, 10), Pillow.Resampling.BILINEAR, box=(10, 0, 30, 20)))
    assert row.values is not None and np.array_equal(row.values, whole)
    assert row.cut == 10 * 20 - 10 * 10
    assert row.frame is not None and row.frame.tolist() == pytest.approx([0.5, 0.5, -5, 0])


def test_a_line_of_one_pixel_can_be_resized_in_every_way() -> None:
    for shape in ((1, 1), (1, 5000), (5000, 1), (2, 3)):
        picture = written(noise(*shape))
        for resize in ("fit", "pad", "crop"):
            found = values(Image(size=(16, 8), resize=resize).fit([picture]), picture)
            assert found.shape == (16, 8, 3)


def test_patches_hold_their_pixels_row_by_row() -> None:
    array = noise(4, 6)
    found = values(Image(size=(4, 6), patch=2).fit([written(array)]), written(array))
    assert found.shape == (2, 3, 12)
    for row in range(2):
        for column in range(3):
            assert np.array_equal(found[row, column], array[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1))


def test_mean_and_deviation_are_those_of_the_pixels() -> None:
    arrays = [noise(8, 8) // (n + 1) for n in range(5)]
    modality = Image(size=(8, 8)).fit(map(written, arrays))
    every = np.stack(arrays).reshape(-1, 3) / 255
    # Written with six digits.
    assert modality.measured.mean == pytest.approx(tuple(every.mean(0)), abs=1e-6)
    assert modality.measured.deviation == pytest.approx(tuple(every.std(0)), abs=1e-6)
    units = modality.collate(modality.encode([written(one) for one in arrays]), (8, 8))
    assert units.values is not None and units.values.dtype == torch.float32 and units.mask.all()
    expected = (np.stack(arrays) / 255 - every.mean(0)) / every.std(0)
    assert units.values.numpy() == pytest.approx(expected, abs=2e-5)
    assert units.values.flatten(0, 2).mean(0).numpy() == pytest.approx(np.zeros(3), abs=1e-5)


def test_a_few_of_many_pictures_are_measured_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MEASURED", 4)
    pictures = [written(noise(4, 4)) for _ in range(20)]
    first, again, other = (Image(size=(4, 4)).fit(pictures, seed) for seed in (0, 0, 1))
    assert first.measured.pictures == 4
    assert first.files() == again.files() != other.files()


def test_pictures_without_contrast_are_not_divided_by_zero() -> None:
    flat = written(np.full((4, 4, 3), 200, np.uint8))
    modality = Image(size=(4, 4)).fit([flat])
    found = modality.collate(modality.encode([flat]), (4, 4)).values
    assert found is not None and torch.isfinite(found).all()


def test_grey_is_one_channel() -> None:
    array = noise(5, 5)
    found = values(Image(size=(5, 5), channels=1).fit([written(array)]), written(array))
    assert np.array_equal(found[..., 0], np.asarray(Pillow.fromarray(array).convert("L")))
    assert Image(channels=1, patch=4).spec.num_values == 16


def test_inputs_may_be_paths_or_bytes(tmp_path) -> None:
    picture = written(noise(6, 6))
    (tmp_path / "a.png").write_bytes(picture.data or b"")
    modality = Image(size=(6, 6)).fit([picture])
    rows = modality.encode([picture, picture.data, str(tmp_path / "a.png"), tmp_path / "a.png"])
    assert all(np.array_equal(row.values, rows[0].values) for row in rows)
    with pytest.raises(BadPicture):
        modality.encode([b"no picture", picture])


def test_pixels_are_their_own_states_but_patches_never_are() -> None:
    """A patch of 16 × 16 colours has 768 values, as many as a base model is wide: its map must be learned all the same."""
    assert sum(p.numel() for p in Image().stem(3).parameters()) == 0
    assert sum(p.numel() for p in Image().stem(8).parameters()) == 3 * 8 + 8
    assert sum(p.numel() for p in Image(size=(16, 16), patch=16).stem(768).parameters()) == 768 * 768 + 768


@pytest.mark.parametrize("resize", ["fit", "pad", "crop"])
def test_boxes_go_to_the_grid_and_back(resize: str) -> None:
    """Where a marked pixel of the picture lies on the grid, its box lies, too."""
    for shape in ((40, 80), (80, 40), (64, 64)):
        array = np.zeros((*shape, 3), np.uint8)
        top, left = shape[0] // 2 - 4, shape[1] // 2 - 8
        array[top : top + 8, left : left + 16] = 255
        modality = Image(size=(32, 48), resize=resize).fit([written(noise(8, 8) * 0)])
        [row] = modality.encode([written(array)])
        record = Record("a", None, label=(Box("x", left, top, left + 16, top + 8), Box("out", -50, -50, -10, -10)))
        placed = modality.placed(record, row).label
        assert isinstance(placed, tuple) and len(placed) == 1
        box = placed[0]
        assert isinstance(box, Box)
        assert row.values is not None
        down, across = np.nonzero(row.values[..., 0] > 127)
        # Half a pixel of the grid is what a threshold of a blurred edge may be off.
        assert (box.left * 48, box.right * 48) == pytest.approx((across.min(), across.max() + 1), abs=0.76)
        assert (box.top * 32, box.bottom * 32) == pytest.approx((down.min(), down.max() + 1), abs=0.76)
        answer = Prediction(({"label": "x", "score": 0.9, "box": [box.left, box.top, box.right, box.bottom]},))
        back = modality.unplaced(answer, row).answer[0]
        assert back["label"] == "x" and back["box"] == pytest.approx([left, top, left + 16, top + 8], abs=1e-3)


def test_a_box_partly_outside_is_cut_and_other_labels_stay() -> None:
    modality = Image(size=(10, 10), resize="crop").fit([written(noise(4, 4))])
    [row] = modality.encode([written(noise(20, 40))])  # keeps columns 10 to 30
    placed = modality.placed(Record("a", None, label=(Box("half", 0, 0, 20, 20), Box("gone", 0, 0, 10, 20))), row).label
    assert placed == (Box("half", 0, 0, 0.5, 1),)
    for label in ("cat", ("a", "b"), (), None, 1.5):
        record = Record("a", None, label=label)
        assert modality.placed(record, row) is record
    for answer in ("cat", ("a", "b"), 1.5):
        assert modality.unplaced(Prediction(answer), row).answer == answer
    assert modality.unplaced(Prediction(()), row).answer == ()


@pytest.mark.parametrize(
    "settings", [{"size": (30, 30), "patch": 16}, {"size": (0, 5)}, {"size": (9000, 5)}, {"channels": 2}, {"patch": 0}]
)
def test_settings_that_cannot_be(settings: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        Image.parse(settings)


@pytest.mark.parametrize(
    "told",
    [{"mean": [0.5], "deviation": [0.5], "pictures": 1}, {"mean": [0.5] * 3, "deviation": [0, 0, 0], "pictures": 1},
     {"mean": [0.5] * 3, "deviation": [0.5] * 2, "pictures": 1}],
)  # fmt: skip
def test_files_of_a_stranger_are_checked(told: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Image().with_files({"pixels.json": json.dumps(told).encode()})


class TestVaried:
    @staticmethod
    def batch(modality: Image, pictures: list[Picture]) -> Batch:
        return Batch(modality.collate(modality.encode(pictures), tuple(side // modality.patch for side in modality.size)))

    def test_off_hands_back_the_batch(self) -> None:
        modality = Image(size=(4, 4)).fit([written(noise(4, 4))])
        batch = self.batch(modality, [written(noise(4, 4))])
        assert modality.varied(batch, torch.Generator()) is batch

    @pytest.mark.parametrize("patch", [1, 2, 4])
    def test_patches_are_varied_as_the_picture_is(self, patch: int) -> None:
        pictures = [written(noise(8, 12)) for _ in range(3)]
        modality = Image(size=(8, 12), patch=patch, variation=Variation(flip=1.0)).fit(pictures)
        found = modality.varied(self.batch(modality, pictures), torch.Generator().manual_seed(0))
        mirrored = [written(np.asarray(Pillow.open(io.BytesIO(picture.data or b"")))[:, ::-1]) for picture in pictures]
        expected = self.batch(modality, mirrored)
        assert found.units.values is not None and expected.units.values is not None
        torch.testing.assert_close(found.units.values, expected.units.values)

    def test_colours_are_those_that_a_person_would_see(self) -> None:
        """A picture half as bright, whatever it was normalised by."""
        pictures = [written(noise(4, 4))]
        modality = Image(size=(4, 4), variation=Variation(brightness=0.5)).fit(pictures)
        batch = self.batch(modality, pictures)
        found = modality.varied(batch, torch.Generator().manual_seed(3))
        mean, deviation = torch.tensor(modality.measured.mean), torch.tensor(modality.measured.deviation)
        assert found.units.values is not None and batch.units.values is not None
        before, after = (each * deviation + mean for each in (batch.units.values, found.units.values))
        dark = before < 0.5
        share = (after / before)[dark & (before > 0.1)]
        assert 0.5 <= share[0] <= 1.5 and torch.allclose(share, share[0].expand_as(share), atol=1e-4)


@pytest.mark.parametrize("patch", [1, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_comes_back_as_it_went_in(patch: int, channels: int) -> None:
    pictures = [written(noise(8, 12)) for _ in range(3)]
    modality = Image(size=(8, 12), patch=patch, channels=channels).fit(pictures)  # type: ignore[arg-type]
    plain = Image(size=(8, 12), channels=channels).fit(pictures)  # type: ignore[arg-type]
    units = modality.collate(modality.encode(pictures), modality.grid)
    assert units.values is not None
    for found, row in zip(modality.pictured(units.values), plain.encode(pictures), strict=True):
        assert found.dtype == np.uint8 and row.values is not None and np.array_equal(found, row.values)


def test_values_beyond_black_and_white_are_cut_off() -> None:
    modality = Image(size=(2, 2), channels=1).fit([written(noise(4, 4))])
    [dark, light] = modality.pictured(torch.tensor([-100.0, 100.0])[:, None, None, None].expand(2, 2, 2, 1))
    assert not dark.any() and (light == 255).all()


@pytest.mark.parametrize(
    ("resize", "expected"), [("fit", (0, 0, 60, 30)), ("pad", (0, -15, 60, 45)), ("crop", (15, 0, 45, 30))]
)
def test_its_grid_lies_where_a_box_says_it_lies(resize, expected):
    """The grid's own corners, put back by the way that boxes go back."""
    raw = image._written(np.zeros((30, 60, 3), np.uint8))
    modality = Image(size=(12, 12), resize=resize).fit([raw])
    (row,) = modality.encode([raw])
    assert modality.covers(row) == pytest.approx(expected, abs=1e-4)
    (one,) = modality.unplaced(Prediction(({"label": "a", "score": 1.0, "box": [0.0, 0.0, 1.0, 1.0]},)), row).answer
    assert modality.covers(row) == pytest.approx(one["box"], abs=1e-4)
