"""The child that makes compressed frames dark: what ends it holds one object, and leaves nothing behind."""

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from hilum.dicom.blanking import Blanking, Region
from hilum.dicom.pixels import PixelError
from hilum.runtime import darkening
from hilum.runtime.darkening import CRASHED, ChildDarkener

BANNER = Blanking((Region(0, 0, 64, 8),))


def content_of(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert path
    return Path(path).read_bytes()


def test_the_value_lasts_as_long_as_its_context(tmp_path: Path) -> None:
    with ChildDarkener(tmp_path)(lambda write: write(content_of("MR_small_RLE.dcm")), BANNER) as made:
        assert made.value.read_at(0, 4) == b"\xfe\xff\x00\xe0"
        assert made.value.read_at(made.value.size - 8, 8) == b"\xfe\xff\xdd\xe0\0\0\0\0"
        assert not made.written.is_converted
    assert list(tmp_path.iterdir()) == []


def test_why_it_cannot_be_done_comes_back_as_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(PixelError, match="No decoder is installed"),
        ChildDarkener(tmp_path)(lambda write: write(content_of("SC_rgb_jpeg_gdcm.dcm")), BANNER),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "least"), [("SECONDS", 0.05), ("MEMORY_BYTES", 32 << 20)])
def test_a_child_that_is_ended_holds_the_object(limit: str, least: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(darkening, limit, least)
    monkeypatch.setattr(darkening, "BYTES_A_SECOND", 1 << 40)
    with pytest.raises(PixelError, match=CRASHED), ChildDarkener(tmp_path)(lambda write: write(content_of("MR_small_RLE.dcm")), BANNER):
        pass
    assert list(tmp_path.iterdir()) == []
