"""Regions made dark in real images of every encoding: what lies inside is gone, what lies outside is what it was, bit for bit."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from hilum.dicom.blanking import IMAGE_ATTRIBUTES, Blanking, Image, Region, blank_compressed, blank_native, outside_of
from hilum.dicom.elements import PixelDataElement, Source
from hilum.dicom.pixels import PixelError, frame
from hilum.dicom.scanner import Wanted, scan

JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"

REGION = Region(left=3, top=2, width=11, height=7)

NATIVE = [
    "CT_small.dcm",  # signed, 16 bit
    "MR_small_expb.dcm",  # big endian
    "MR_small_implicit.dcm",
    "image_dfl.dcm",  # deflated
    "examples_rgb_color.dcm",
    "SC_rgb_small_odd.dcm",  # an odd number of bytes
    "ExplVR_BigEnd.dcm",  # colour by plane
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "liver_1frame.dcm",  # one bit
    "liver_expb_1frame.dcm",
    "rtdose.dcm",  # 32 bit, frames
    "rtdose_expb.dcm",
]
COMPRESSED = [
    "MR_small_RLE.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "MR_small_jp2klossless.dcm",
    "examples_jpeg2k.dcm",  # YBR_RCT
    "JPEG2000.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEGLSNearLossless_16.dcm",
    "JPEGLSNearLossless_08.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",  # JPEG Baseline
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "examples_ybr_color.dcm",  # JPEG Baseline, YBR_FULL_422, 30 frames
]


def read(name):
    path = get_testdata_file(name, download=False)
    return Path(path).read_bytes()


def dataset_of(content):
    return pydicom.dcmread(io.BytesIO(content), force=True)


def blank(content, regions, folder, frames=None):
    """An object again, as the engine would put it together: pydicom reads it, only its pixels come from what is tested."""
    dataset, blanking = dataset_of(content), Blanking(tuple(regions), None if frames is None else frozenset(frames))
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        given, value = folder / "given.dcm", io.BytesIO()
        given.write_bytes(content)
        written = blank_compressed(given, blanking, value.write)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(written.transfer_syntax_uid)
        dataset.PhotometricInterpretation = written.photometric_interpretation
        if written.is_converted and dataset.SamplesPerPixel > 1:
            dataset.PlanarConfiguration = 0
        dataset.PixelData = value.getvalue()[:-8]
    else:
        header = scan(Source.of_bytes(content), Wanted(*IMAGE_ATTRIBUTES))
        element = PixelDataElement(0x7FE00010, dataset["PixelData"].VR, 0, len(dataset.PixelData))
        dataset.PixelData = b"".join(blank_native(Source.of_bytes(dataset.PixelData), element, Image.of(header), blanking))
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def frames_of(content):
    dataset = dataset_of(content)
    return [frame(dataset, index) for index in range(int(dataset.get("NumberOfFrames") or 1))]


def inside(pixels, region=REGION):
    return pixels[region.top : region.top + region.height, region.left : region.left + region.width]


def outside(pixels, region=REGION):
    mask = np.ones(pixels.shape[:2], bool)
    mask[region.top : region.top + region.height, region.left : region.left + region.width] = False
    return pixels[mask]


@pytest.mark.parametrize("name", [*NATIVE, *COMPRESSED])
def test_the_region_is_dark_in_every_frame_and_the_rest_is_what_it_was(name, tmp_path):
    content = read(name)
    rows, columns = frames_of(content)[0].shape[:2]
    # YBR_FULL_422 has its colours in pairs: the region begins and ends at even columns.
    region = Region(columns // 8 * 2, rows // 4, max(columns // 4 * 2, 1), max(rows // 2, 1))
    blanked = blank(content, [region], tmp_path)
    for before, after in zip(frames_of(content), frames_of(blanked), strict=True):
        assert before.shape == after.shape
        assert len(np.unique(inside(after, region).reshape(-1, *after.shape[2:]), axis=0)) == 1
        assert np.array_equal(outside(before, region), outside(after, region))


@pytest.mark.parametrize("name", [*NATIVE, *COMPRESSED])
def test_nothing_but_the_pixels_changes(name, tmp_path):
    before, after = dataset_of(read(name)), dataset_of(blank(read(name), [REGION], tmp_path))
    # PS3.5 7.2: group lengths are retired, and left out when an object is written again.
    described = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}

    def kept(dataset):
        return {each.tag: each.value for each in dataset if each.keyword not in described and each.tag.element}

    assert kept(before) == kept(after)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_frames_that_are_not_chosen_keep_their_bytes(syntax, tmp_path):
    made = dataset_of(read("CT_small.dcm"))
    image = made.pixel_array
    made.NumberOfFrames, made.PixelData = 6, b"".join(np.roll(image, index).tobytes() for index in range(6))
    made.compress(syntax)
    written = io.BytesIO()
    made.save_as(written)
    before = list(generate_frames(made.PixelData, number_of_frames=6))
    after = list(generate_frames(dataset_of(blank(written.getvalue(), [REGION], tmp_path, frames=[1, 4])).PixelData, number_of_frames=6))
    assert [index for index in range(6) if before[index] != after[index]] == [1, 4]


def test_what_was_lossy_becomes_jpeg_ls_without_another_loss(tmp_path):
    content = read("SC_rgb_dcmtk_+eb+cy+np.dcm")
    after = dataset_of(blank(content, [REGION], tmp_path))
    assert after.file_meta.TransferSyntaxUID == JPEG_LS_LOSSLESS
    assert after.PhotometricInterpretation == "RGB"


@pytest.mark.parametrize("region", [Region(-5, -5, 8, 8), Region(60, 60, 1000, 1000), Region(0, 0, 10_000, 10_000), Region(500, 500, 5, 5)])
def test_a_region_is_cut_to_the_image(region, tmp_path):
    before, after = frames_of(read("CT_small.dcm"))[0], frames_of(blank(read("CT_small.dcm"), [region], tmp_path))[0]
    mask = np.zeros(before.shape, bool)
    mask[max(region.top, 0) : region.top + region.height, max(region.left, 0) : region.left + region.width] = True
    assert np.array_equal(before[~mask], after[~mask])
    assert (after[mask] == before.min()).all()


def test_dark_is_the_highest_value_where_the_lowest_is_white(tmp_path):
    dataset = dataset_of(read("CT_small.dcm"))
    dataset.PhotometricInterpretation = "MONOCHROME1"
    written = io.BytesIO()
    dataset.save_as(written)
    after = frames_of(blank(written.getvalue(), [REGION], tmp_path))[0]
    assert (inside(after) == dataset.pixel_array.max()).all()


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "SC_rgb_jpeg_gdcm.dcm", "rtdose_rle_1frame.dcm"])
def test_what_cannot_be_made_dark_is_refused(name, tmp_path):
    with pytest.raises(PixelError):
        blank(read(name), [REGION], tmp_path)


def test_ybr_that_a_codec_keeps_is_not_made_rgb(tmp_path):
    made = dataset_of(read("examples_rgb_color.dcm"))
    made.PhotometricInterpretation = "YBR_FULL"
    stored = np.frombuffer(made.PixelData, np.uint8)
    made.compress(RLELossless)
    written = io.BytesIO()
    made.save_as(written)
    after = dataset_of(blank(written.getvalue(), [REGION], tmp_path))
    assert (after.file_meta.TransferSyntaxUID, after.PhotometricInterpretation) == (RLELossless, "YBR_FULL")
    after.decompress(as_rgb=False)
    given, made_dark = (np.frombuffer(one, np.uint8).reshape(after.Rows, after.Columns, 3) for one in (stored, after.PixelData))
    assert np.array_equal(outside(given), outside(made_dark))
    assert (inside(made_dark) == (0, 128, 128)).all()


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm"])
@pytest.mark.parametrize(("rows", "columns"), [(0.5, 2), (2, 0.5), (0.5, 1), (1, 2)])
def test_a_frame_of_another_size_than_its_header_says_is_refused(name, rows, columns, tmp_path):
    given = dataset_of(read(name))
    given.Rows, given.Columns = int(given.Rows * rows), int(given.Columns * columns)
    written = io.BytesIO()
    given.save_as(written)
    with pytest.raises(PixelError, match="another size"):
        blank(written.getvalue(), [REGION], tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("is_signed", [False, True])
def test_twelve_bits_stay_twelve_bits(syntax, is_signed, tmp_path):
    given = dataset_of(read("MR_small.dcm"))
    given.BitsStored, given.HighBit, given.PixelRepresentation = 12, 11, int(is_signed)
    image = (np.arange(64 * 64).reshape(64, 64) - (2048 if is_signed else 0)).astype(np.int16 if is_signed else np.uint16)
    given.PixelData = image.tobytes()
    given.compress(syntax)
    written = io.BytesIO()
    given.save_as(written)
    (after,) = frames_of(blank(written.getvalue(), [REGION], tmp_path))
    assert np.array_equal(outside(after), outside(image))
    assert (inside(after) == image.min()).all()


def test_a_frame_that_is_dark_there_already_keeps_its_bytes(tmp_path):
    made = dataset_of(read("CT_small.dcm"))
    image = made.pixel_array.copy()
    dark = image.copy()
    inside(dark)[:] = image.min()
    made.NumberOfFrames, made.PixelData = 2, image.tobytes() + dark.tobytes()
    made.compress(JPEG2000Lossless)
    written = io.BytesIO()
    made.save_as(written)
    before = list(generate_frames(made.PixelData, number_of_frames=2))
    after = list(generate_frames(dataset_of(blank(written.getvalue(), [REGION], tmp_path)).PixelData, number_of_frames=2))
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]


def test_what_lies_behind_the_last_frame_goes(tmp_path):
    made = dataset_of(read("CT_small.dcm"))
    made.PixelData = made.PixelData + b"Jane Doe"
    written = io.BytesIO()
    made.save_as(written)
    assert dataset_of(blank(written.getvalue(), [REGION], tmp_path)).PixelData.endswith(bytes(8))


@pytest.mark.parametrize("is_signed", [False, True])
def test_an_overlay_in_unused_bits_goes_and_every_pixel_stays(is_signed):
    kind = np.int16 if is_signed else np.uint16
    pixels = np.arange(-2048, 2048, dtype=np.int16) if is_signed else np.arange(4096, dtype=np.uint16)
    image = Image(64, 64, 1, 1, "MONOCHROME2", False, 16, 12, 11, is_signed)
    with_overlay = (pixels.astype(np.uint16) & 0x0FFF | 0x5000).astype(np.uint16).tobytes()
    element = PixelDataElement(0x7FE00010, "OW", 0, len(with_overlay))
    cleared = b"".join(blank_native(Source.of_bytes(with_overlay), element, image, Blanking(), clears_unused_bits=True))
    assert np.array_equal(np.frombuffer(cleared, kind), pixels)


def test_an_overlay_below_the_stored_bits_goes_too():
    image = Image(2, 2, 1, 1, "MONOCHROME2", False, 16, 12, 15, False)
    given = np.array([0x1230, 0x4561, 0x7892, 0xABC3], np.uint16).tobytes()
    element = PixelDataElement(0x7FE00010, "OW", 0, 8)
    cleared = b"".join(blank_native(Source.of_bytes(given), element, image, Blanking(), clears_unused_bits=True))
    assert np.frombuffer(cleared, np.uint16).tolist() == [0x1230, 0x4560, 0x7890, 0xABC0]


@pytest.mark.parametrize(
    "kept", [[], [Region(2, 1, 5, 4)], [Region(0, 0, 10, 8)], [Region(0, 0, 4, 4), Region(3, 2, 7, 6)], [Region(8, 6, 9, 9)]]
)
def test_the_outside_of_regions_is_all_but_them(kept):
    image, wanted = np.zeros((8, 10), int), np.ones((8, 10), int)
    for one in outside_of(kept, 8, 10):
        inside(image, one)[:] += 1
    for one in kept:
        inside(wanted, one)[:] = 0
    assert np.array_equal(image, wanted)
