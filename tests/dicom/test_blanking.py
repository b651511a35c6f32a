"""Regions made dark in real images of every encoding: what lies inside is gone, what lies outside is what it was, bit for bit."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from hilum.dicom.blanking import JPEG_LS_LOSSLESS, Region, blank
from hilum.dicom.pixels import PixelError, frame

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
def test_the_region_is_dark_in_every_frame_and_the_rest_is_what_it_was(name):
    content = read(name)
    rows, columns = frames_of(content)[0].shape[:2]
    # YBR_FULL_422 has its colours in pairs: the region begins and ends at even columns.
    region = Region(columns // 8 * 2, rows // 4, max(columns // 4 * 2, 1), max(rows // 2, 1))
    blanked = blank(content, [region])
    for before, after in zip(frames_of(content), frames_of(blanked), strict=True):
        assert before.shape == after.shape
        assert len(np.unique(inside(after, region).reshape(-1, *after.shape[2:]), axis=0)) == 1
        assert np.array_equal(outside(before, region), outside(after, region))


@pytest.mark.parametrize("name", [*NATIVE, *COMPRESSED])
def test_nothing_but_the_pixels_changes(name):
    before, after = dataset_of(read(name)), dataset_of(blank(read(name), [REGION]))
    # PS3.5 7.2: group lengths are retired, and left out when an object is written again.
    described = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}

    def kept(dataset):
        return {each.tag: each.value for each in dataset if each.keyword not in described and each.tag.element}

    assert kept(before) == kept(after)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_frames_that_are_not_chosen_keep_their_bytes(syntax):
    made = dataset_of(read("CT_small.dcm"))
    image = made.pixel_array
    made.NumberOfFrames, made.PixelData = 6, b"".join(np.roll(image, index).tobytes() for index in range(6))
    made.compress(syntax)
    written = io.BytesIO()
    made.save_as(written)
    before = list(generate_frames(made.PixelData, number_of_frames=6))
    after = list(generate_frames(dataset_of(blank(written.getvalue(), [REGION], frames=[1, 4])).PixelData, number_of_frames=6))
    assert [index for index in range(6) if before[index] != after[index]] == [1, 4]


def test_what_was_lossy_becomes_jpeg_ls_without_another_loss():
    content = read("SC_rgb_dcmtk_+eb+cy+np.dcm")
    after = dataset_of(blank(content, [REGION]))
    assert after.file_meta.TransferSyntaxUID == JPEG_LS_LOSSLESS
    assert after.PhotometricInterpretation == "RGB"


@pytest.mark.parametrize("region", [Region(-5, -5, 8, 8), Region(60, 60, 1000, 1000), Region(0, 0, 10_000, 10_000), Region(500, 500, 5, 5)])
def test_a_region_is_cut_to_the_image(region):
    before, after = frames_of(read("CT_small.dcm"))[0], frames_of(blank(read("CT_small.dcm"), [region]))[0]
    mask = np.zeros(before.shape, bool)
    mask[max(region.top, 0) : region.top + region.height, max(region.left, 0) : region.left + region.width] = True
    assert np.array_equal(before[~mask], after[~mask])
    assert (after[mask] == before.min()).all()


def test_dark_is_the_highest_value_where_the_lowest_is_white():
    dataset = dataset_of(read("CT_small.dcm"))
    dataset.PhotometricInterpretation = "MONOCHROME1"
    written = io.BytesIO()
    dataset.save_as(written)
    after = frames_of(blank(written.getvalue(), [REGION]))[0]
    assert (inside(after) == dataset.pixel_array.max()).all()


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("CT_small.dcm", [1]),
        ("CT_small.dcm", [-1]),
        ("CT_small.dcm", []),
        ("rtplan.dcm", None),
        ("MR_truncated.dcm", None),
        ("SC_rgb_jpeg_gdcm.dcm", None),
        ("rtdose_rle_1frame.dcm", None),
    ],
)
def test_what_cannot_be_made_dark_is_refused(name, frames):
    with pytest.raises(PixelError):
        blank(read(name), [REGION], frames)
