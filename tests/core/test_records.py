import dataclasses

import pytest

from zhuji.core.records import SPLITS, Box, Picture, Record, Sound, boxed, class_names, named


def test_a_record_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Record("row-1", "text").label = "spam"  # type: ignore[misc]


def test_a_record_moves_to_another_split_as_a_copy() -> None:
    record = Record("row-1", "text", label=("a", "b"), row=1)
    moved = dataclasses.replace(record, split="test")
    assert (record.split, moved.split, moved.label) == (None, "test", ("a", "b"))


def test_records_do_not_share_what_they_carry() -> None:
    assert Record("a", "").extra is not Record("b", "").extra


def test_the_splits_are_named_once() -> None:
    assert SPLITS == ("train", "valid", "test")


def test_a_picture_is_a_file_or_bytes_and_a_box_stands_still() -> None:
    assert Picture("a.png") != Picture(data=b"a.png")
    box = Box("cell", 1, 2, 3, 4)
    assert Record("a", Picture("a.png"), label=(box,)).label == (Box("cell", 1.0, 2.0, 3.0, 4.0),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        box.left = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("label", "is_boxed", "names", "classes"),
    [
        (None, False, (), ()), ("cat", False, (), ()), (1.5, False, (), ()), ((), False, (), ()),
        (("b", "a", "b"), False, ("b", "a", "b"), ("a", "b")),
        ((Box("dog", 0, 0, 1, 1), Box("cat", 0, 0, 1, 1), Box("dog", 2, 2, 3, 3)), True, (), ("cat", "dog")),
    ],
)  # fmt: skip
def test_what_a_label_names(label, is_boxed, names, classes) -> None:
    assert (boxed(label), named(label), class_names(label)) == (is_boxed, names, classes)


def test_a_picture_is_told_by_its_file_and_never_by_its_bytes() -> None:
    assert str(Picture("a.png", b"x" * 1000)) == "a.png" and str(Picture(data=b"x")) == "a picture"
    assert "xxx" not in repr(Picture("a.png", b"x" * 1000, b"x" * 1000))
    assert Picture("a.png", mark=b"1") == Picture("a.png", mark=b"2")


def test_a_sound_is_a_file_or_a_piece_of_one() -> None:
    assert (
        str(Sound("a.wav")) == "a.wav"
        and str(Sound("a.wav", start=1.5, seconds=2)) == "a.wav@1.5"
        and str(Sound(data=b"x")) == "a sound"
    )
    assert Sound("a.wav") != Sound("a.wav", seconds=1) and Sound("a.wav", length=1.0, mark=b"1") == Sound("a.wav")
    assert Sound.of("a.wav") == Sound("a.wav") and Sound.of(b"1") == Sound(data=b"1") and Sound.of(Sound("b")) == Sound("b")
    assert Sound("a.wav") != Picture("a.wav")
