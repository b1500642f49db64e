import io
import sys

import numpy as np
import pytest

from zhuji.core.errors import MissingExtra
from zhuji.core.records import Picture
from zhuji.core.unreadable import BadPicture, HugePicture
from zhuji.data import pictures
from zhuji.data.pictures import is_picture, opened, size_of

pydicom = pytest.importorskip("pydicom")

VALUES = np.array([[0, 100, 200], [300, 400, 500]], np.uint16)


def file_of(values: np.ndarray, kind: str = "MONOCHROME2", **more: object) -> Picture:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    found.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    found.Rows, found.Columns = values.shape[-3:-1] if kind == "RGB" else values.shape[-2:]
    found.SamplesPerPixel, found.PhotometricInterpretation = (3, kind) if kind == "RGB" else (1, kind)
    if kind == "RGB":
        found.PlanarConfiguration = 0
    found.BitsAllocated = found.BitsStored = 8 * values.dtype.itemsize
    found.HighBit, found.PixelRepresentation = found.BitsStored - 1, 0
    for name, value in more.items():
        setattr(found, name, value)
    found.PixelData = values.tobytes()
    file = io.BytesIO()
    found.save_as(file, enforce_file_format=True)
    return Picture(data=file.getvalue())


def grey(picture: Picture) -> list[list[int]]:
    return np.asarray(opened(picture).image).tolist()


def test_grey_values_go_through_the_window() -> None:
    picture = file_of(VALUES)
    assert is_picture(picture.data or b"") and size_of(picture) == (3, 2)
    assert grey(picture) == [[0, 51, 102], [153, 204, 255]]
    assert grey(file_of(VALUES, "MONOCHROME1")) == [[255, 204, 153], [102, 51, 0]]
    # Centre 250.5, width 101: from 200 to 300.
    assert grey(file_of(VALUES, WindowCenter=250.5, WindowWidth=101)) == [[0, 0, 0], [255, 255, 255]]
    assert grey(file_of(VALUES, WindowCenter=[250.5, 1], WindowWidth=[501, 1])) == [[0, 51, 102], [153, 204, 255]]
    assert grey(file_of(VALUES, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=400.5, WindowWidth=1001))[0] == [0, 51, 102]


def test_colours_stay_and_of_a_film_the_first_picture() -> None:
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(np.asarray(opened(file_of(colours, "RGB")).image), colours)
    film = opened(file_of(np.stack([VALUES, VALUES * 0]), NumberOfFrames=2))
    assert np.asarray(film.image).max() == 255
    assert film.changes == ("first of several frames kept", "DICOM window applied")


def test_half_a_file_a_bomb_and_no_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(VALUES).data or b""
    for size in (132, 140, 200, len(data) - 3):
        with pytest.raises(BadPicture):
            opened(Picture(data=data[:size]))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 5)
    with pytest.raises(HugePicture):
        opened(Picture(data=data))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtra, match="pydicom"):
        opened(Picture(data=data))
