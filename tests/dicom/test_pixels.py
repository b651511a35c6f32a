"""Frames, windows, thumbnails: every file of pydicom's and of the shared images, and files made to hurt."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from hilum.dicom.pixels import PixelError, frame, montage, thumbnail, window

PYDICOM_FILES = sorted(
    file for file in (Path(pydicom.__file__).parent / "data").rglob("*") if file.is_file() and file.suffix not in (".py", ".json", ".pyc")
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def sample(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path, f"{name} is not among the files that come with pydicom"
    return Path(str(path))


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def dataset_of(array: np.ndarray[Any, Any], **attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns = array.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = array.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(array.dtype.kind == "i")
    dataset["PixelData"] = pydicom.DataElement("PixelData", "OW", array.tobytes())
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)


# --- Every file ---


@pytest.mark.parametrize("file", PYDICOM_FILES, ids=lambda file: file.name)
def test_a_file_of_pydicom_is_shown_or_refused_with_a_sentence(file: Path) -> None:
    try:
        picture = opened(thumbnail(file))
    except PixelError as error:
        assert error.sentence.endswith(".")
    else:
        assert max(picture.size) == 300


def test_whatever_pydicom_decodes_with_the_same_plugins_has_the_same_pixels() -> None:
    compared = 0
    for file in PYDICOM_FILES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = dcmread(file)
                expected = pydicom.pixels.pixel_array(dataset, index=0)
        except Exception:  # noqa: BLE001 - what pydicom cannot read is the other test's
            continue
        assert np.array_equal(frame(file), expected), file.name
        assert np.array_equal(frame(dataset), expected), file.name
        compared += 1
    assert compared >= 90


@pytest.mark.parametrize("syntax", ["rle", "jpeg", "jpegls", "j2k"])
def test_a_compressed_volume_has_thumbnails(shared_data: Path, syntax: str) -> None:
    for file in (shared_data / "volumes" / f"generic_compressed_{syntax}_001").iterdir():
        if syntax == "jpeg" and dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID == JPEGLosslessSV1:
            with pytest.raises(PixelError, match="No decoder is installed for JPEG Lossless"):
                thumbnail(file)
        else:
            assert opened(thumbnail(file)).size == (300, 300)


def test_lossless_syntaxes_give_the_same_pixels() -> None:
    native = frame(sample("MR_small.dcm"))
    for name in ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_bigendian.dcm"):
        assert np.array_equal(frame(sample(name)), native), name


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "SC_rgb_rle_2frame.dcm", "examples_ybr_color.dcm"])
def test_one_frame_of_many_is_read_on_its_own(name: str) -> None:
    whole = dcmread(sample(name)).pixel_array
    for index in range(len(whole)):
        assert np.array_equal(frame(sample(name), index), whole[index])


def test_a_frame_that_is_not_there_is_refused() -> None:
    for index in (-1, 15):
        with pytest.raises(PixelError, match="instance has 15"):
            frame(sample("rtdose.dcm"), index)


# --- Making visible ---


def test_a_window_is_linear_as_the_standard_says() -> None:
    # PS3.3 C.11.2.1.2.1: centre 128, width 256 leaves the values 0 to 255 as they are.
    dataset = dataset_of(RAMP, WindowCenter="128", WindowWidth="256")
    assert np.array_equal(window(frame(dataset), dataset), RAMP)


def test_a_window_is_applied_after_slope_and_intercept() -> None:
    dataset = dataset_of(RAMP, RescaleSlope="2", RescaleIntercept="-100", WindowCenter=["156", "9"], WindowWidth=["512", "9"])
    assert np.abs(window(frame(dataset), dataset).astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_other_voi_functions_rise_through_the_centre(function: str) -> None:
    dataset = dataset_of(RAMP, WindowCenter="128", WindowWidth="200", VOILUTFunction=function)
    shown = window(frame(dataset), dataset).ravel()
    assert shown[128] == 128
    assert (np.diff(shown.astype(int)) >= 0).all()


def test_monochrome1_is_inverted() -> None:
    dataset = dataset_of(RAMP, WindowCenter="128", WindowWidth="256", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(window(frame(dataset), dataset), 255 - RAMP)


def test_without_a_window_the_middle_98_percent_are_shown_and_padding_does_not_count() -> None:
    padded = np.concatenate([RAMP.astype(np.int16), np.full((64, 16), -32768, np.int16)])
    shown = window(padded, dataset_of(padded, PixelPaddingValue=-32768))
    assert (shown[16:] == 0).all()
    assert np.abs(shown[:16].astype(int) - RAMP).max() <= 4


@pytest.mark.parametrize("wrong", [("40000", "10"), ("nan", "10"), ("10", "0"), ("", "")])
def test_a_window_that_shows_nothing_is_passed_over(wrong: tuple[str, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dataset_of(RAMP, WindowCenter=wrong[0] or None, WindowWidth=wrong[1] or None)
    assert len(np.unique(window(frame(dataset), dataset))) > 200


def test_a_flat_image_is_black() -> None:
    flat = np.full((4, 4), 7, np.uint16)
    assert (window(flat, dataset_of(flat)) == 0).all()


def test_floats_that_are_no_numbers_do_not_spoil_the_window() -> None:
    array = RAMP.astype(np.float32)
    array[0, 0], array[0, 1] = np.nan, np.inf
    assert len(np.unique(window(array, dataset_of(RAMP, WindowCenter="128", WindowWidth="256")))) > 200


def test_a_palette_becomes_its_colours() -> None:
    dataset = dcmread(sample("examples_palette.dcm"))
    shown = window(frame(dataset), dataset)
    assert shown.shape == (dataset.Rows, dataset.Columns, 3)
    expected = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset)[..., :3]
    assert np.abs(shown.astype(int) - (expected >> 8)).max() <= 1


def test_ybr_becomes_red_green_blue() -> None:
    dataset = dcmread(sample("SC_ybr_full_422_uncompressed.dcm"))
    assert tuple(window(frame(dataset), dataset)[5, 50]) == (254, 0, 0)


def test_sixteen_bit_colours_become_eight() -> None:
    dataset = dcmread(sample("SC_rgb_rle_16bit.dcm"))
    assert np.array_equal(window(frame(dataset), dataset), (dataset.pixel_array >> 8).astype(np.uint8))


def test_the_window_of_an_enhanced_frame_is_the_frames_own(shared_data: Path) -> None:
    (file,) = (f for f in (shared_data / "volumes" / "philips_enhanced_anatomical_001").iterdir() if f.suffix != ".md")
    dataset = dcmread(file)
    assert len(np.unique(window(frame(dataset, 1), dataset, 1))) > 20


# --- Thumbnails and montages ---


@pytest.mark.parametrize(
    ("spacing", "size"),
    [(["1", "1"], (300, 300)), (["2", "1"], (150, 300)), (["1", "3"], (300, 100)), (["1", "1e9"], (300, 15)), (["0", "0"], (300, 300))],
)
def test_a_thumbnail_keeps_the_proportions_of_the_body(spacing: list[str], size: tuple[int, int]) -> None:
    assert opened(thumbnail(dataset_of(RAMP, PixelSpacing=spacing))).size == size


def test_a_thumbnail_of_many_frames_is_the_middle_one() -> None:
    assert thumbnail(sample("rtdose.dcm")) == thumbnail(sample("rtdose.dcm"), 7)
    assert thumbnail(sample("rtdose.dcm")) != thumbnail(sample("rtdose.dcm"), 0)


def test_a_thumbnail_has_no_text_of_the_header() -> None:
    png = thumbnail(sample("MR_small.dcm"))
    assert {png[at + 4 : at + 8] for at in chunks(png)} == {b"IHDR", b"IDAT", b"IEND"}


def chunks(png: bytes) -> list[int]:
    starts, at = [], 8
    while at < len(png):
        starts.append(at)
        at += 12 + struct.unpack(">L", png[at : at + 4])[0]
    return starts


def test_a_montage_lays_frames_out_in_rows() -> None:
    grey, colour = np.full((10, 20), 200, np.uint8), np.zeros((20, 10, 3), np.uint8)
    colour[..., 0] = 255
    picture = opened(montage([grey, colour, grey], tile=40))
    assert picture.size == (80, 80)
    assert picture.getpixel((20, 20)) == (200, 200, 200)
    assert picture.getpixel((60, 20)) == (255, 0, 0)
    assert picture.getpixel((60, 60)) == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 5])
def test_a_montage_of_none_or_too_many_is_refused(count: int) -> None:
    with pytest.raises(PixelError, match="from 1 to 4 frames"):
        montage([np.zeros((2, 2), np.uint8)] * count, max_tiles=4)


# --- Hostile ---


@pytest.mark.parametrize("rows", [0, 70_000, 2**31, -1])
def test_rows_beyond_sixteen_bits_are_refused(rows: int) -> None:
    dataset = dataset_of(RAMP)
    dataset["Rows"] = pydicom.DataElement(0x00280010, "SL" if rows < 0 else "UL", rows)
    with pytest.raises(PixelError, match="from 1 to 65535"):
        frame(dataset)


def test_a_frame_beyond_the_limits_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(PixelError, match="larger than the 100 pixels"):
        frame(sample("MR_small.dcm"), max_pixels=100)
    with pytest.raises(PixelError, match="8192 bytes is larger than the 8000"):
        frame(sample("MR_small.dcm"), max_bytes=8000)


@pytest.mark.parametrize(
    "codes",
    [
        b"\xff\x4f\xff\x51\x00\x29\x00\x00" + struct.pack(">4L", 60_000, 60_000, 0, 0) + bytes(40),
        b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 60_000, 60_000) + bytes(40),
        b"\xff\xd8\xff\xf7\x00\x0b\x08" + struct.pack(">HH", 60_000, 60_000) + bytes(40),
    ],
    ids=["JPEG 2000", "JPEG", "JPEG-LS"],
)
def test_a_compressed_frame_larger_than_the_header_says_is_refused_before_it_is_decoded(codes: bytes) -> None:
    dataset = dataset_of(RAMP)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = pydicom.encaps.encapsulate([codes])
    with pytest.raises(PixelError, match="60000 by 60000"):
        frame(dataset)


def test_a_deflated_bomb_is_refused_at_the_limit(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.dcm"
    honest = sample("image_dfl.dcm").read_bytes()
    length = 144 + struct.unpack("<L", honest[140:144])[0]
    deflater = zlib.compressobj(9, wbits=-15)
    header = b"\x09\x00\x10\x00OB\x00\x00" + struct.pack("<L", 200_000_000)
    bomb.write_bytes(
        honest[:length] + deflater.compress(header) + b"".join(deflater.compress(bytes(10**7)) for _ in range(20)) + deflater.flush()
    )
    with pytest.raises(PixelError, match="inflated data set is larger than the 50000000 bytes"):
        frame(bomb, max_bytes=50_000_000)
    assert frame(sample("image_dfl.dcm")).shape == (512, 512)


def test_a_jpeg_ls_frame_without_its_end_is_refused_at_once() -> None:
    dataset = dcmread(sample("MR_small_jpeg_ls_lossless.dcm"))
    (codes,) = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = pydicom.encaps.encapsulate([codes[:3000]])
    with pytest.raises(PixelError, match="cut off"):
        frame(dataset)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    "value", [b"", b"\0" * 7, b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\xff\xff\xff\x7fab"]
)
def test_broken_fragments_are_refused(syntax: str, value: bytes) -> None:
    dataset = dataset_of(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"] = pydicom.DataElement("PixelData", "OB", value)
    with pytest.raises(PixelError):
        frame(dataset)


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "image_dfl.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_a_file_cut_off_anywhere_is_shown_or_refused(name: str, tmp_path: Path) -> None:
    whole, cut = sample(name).read_bytes(), tmp_path / "cut.dcm"
    for tenths in range(10):
        cut.write_bytes(whole[: len(whole) * tenths // 10])
        try:
            thumbnail(cut)
        except PixelError as error:
            assert error.sentence
        else:
            assert tenths > 5


def test_a_refusal_quotes_nothing_of_the_header() -> None:
    dataset = dataset_of(RAMP)
    dataset["WindowCenter"] = pydicom.DataElement("WindowCenter", "LO", "DOE^JANE")
    dataset.WindowWidth = "5"
    with pytest.raises(PixelError) as refused:
        window(RAMP, dataset)
    assert "DOE" not in refused.value.sentence


def test_a_file_that_is_not_there_or_not_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for path in (tmp_path / "absent", tmp_path / "text", tmp_path):
        with pytest.raises(PixelError):
            frame(path)
