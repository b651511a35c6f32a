"""Segmentations and structure sets over their images, and alone."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from hilum.dicom.grids import grid_of, make_grid
from hilum.dicom.overlays import PALETTE, Candidate, read_overlay
from hilum.dicom.overlays.segmentations import Labels, from_cielab
from hilum.dicom.pixels import PixelError
from hilum.dicom.references import referenced_series

AXIAL = [1, 0, 0, 0, 1, 0]


def colours_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def saturated(png: bytes) -> np.ndarray:
    """Where a picture of greys has a colour."""
    shown = colours_of(png)
    return shown.max(axis=2) - shown.min(axis=2) > 40


def candidates_of(folder: Path) -> dict[str, Path]:
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in sorted(folder.glob("*.dcm"))}


def test_a_segmentation_lies_on_the_image_it_was_made_from(shared_data: Path) -> None:
    folder = shared_data / "segmentations_dcmqi/segmentations"
    overlay = read_overlay(folder / "liver.dcm")
    images = candidates_of(folder / "ct-3slice")
    needed = overlay.needs([Candidate(uid, grid_of(dcmread(path, stop_before_pixels=True))) for uid, path in images.items()])
    below = saturated(overlay.draw_on(images[needed]))
    alone = saturated(overlay.draw_alone())
    assert 0.05 < below.mean() < 0.5
    assert np.abs(below.mean() - alone.mean()) < 0.02
    assert (below & alone).sum() > 0.9 * alone.sum()


def test_an_image_that_is_nowhere_near_is_not_taken(shared_data: Path) -> None:
    overlay = read_overlay(shared_data / "segmentations_dcmqi/segmentations/liver.dcm")
    far = make_grid([0, 0, 9e5], AXIAL, [1, 1])
    assert overlay.needs([Candidate("1.1", far), Candidate("1.2", far)]) == ""
    assert overlay.needs([]) == ""


def test_labels_are_put_where_the_image_below_lies() -> None:
    labels = np.zeros((4, 4), np.int32)
    labels[1, 2] = 7
    overlay = Labels(labels, {}, make_grid([10, 20, 0], AXIAL, [2, 2]), (), 1.0)
    # The pixel (row 1, column 2) lies at x = 14, y = 22: on an image of 1 mm pixels that begins at 12, 21 in row 1, column 2.
    placed = overlay._on(make_grid([12, 21, 0], AXIAL, [1, 1]), 6, 6)
    assert placed[1, 2] == 7
    assert set(zip(*(axis.tolist() for axis in np.nonzero(placed)), strict=True)) <= {(r, c) for r in (0, 1, 2) for c in (1, 2, 3)}
    with pytest.raises(PixelError, match="does not say where"):
        Labels(labels, {}, None, (), 1.0)._on(None, 6, 6)


def test_colours_of_segments_are_cielab() -> None:
    assert from_cielab(65535, 32896, 32896) == pytest.approx((255, 255, 255), abs=3)
    assert from_cielab(0, 32896, 32896) == (0, 0, 0)
    red, green, blue = from_cielab(34885, 53485, 50171)  # sRGB red
    assert red > 230 and green < 40 and blue < 40


def _structures(z: float) -> Dataset:
    contour = Dataset()
    contour.ContourData = [10, 10, z, 20, 10, z, 20, 20, z, 10, 20, z]
    roi = Dataset()
    roi.ROIDisplayColor = [0, 255, 0]
    roi.ContourSequence = [contour]
    dataset = Dataset()
    dataset.ROIContourSequence = [roi]
    return dataset


def test_contours_are_drawn_where_the_patient_is(tmp_path: Path) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing = [0, 0, 5], AXIAL, [0.5, 0.5]
    image.save_as(tmp_path / "ct.dcm")
    structures = _structures(5.2)
    structures.save_as(tmp_path / "rs.dcm", implicit_vr=True, little_endian=True)
    overlay = read_overlay(tmp_path / "rs.dcm")
    assert overlay.needs([Candidate("1", make_grid([0, 0, 5], AXIAL, [1, 1])), Candidate("2", make_grid([0, 0, 8], AXIAL, [1, 1]))]) == "1"
    rows, columns = np.nonzero(saturated(overlay.draw_on(tmp_path / "ct.dcm")))
    # 128 pixels of 0.5 mm are 300 of the picture: 10 mm lie at pixel 20.5, so at 48.
    assert (rows.min(), rows.max()) == pytest.approx((48, 95), abs=3)
    assert (columns.min(), columns.max()) == pytest.approx((48, 95), abs=3)
    assert saturated(overlay.draw_alone()).any()


@pytest.mark.parametrize("points", [[], [1, 2], ["1e999", "0", "0"]])
def test_a_structure_set_without_usable_contours_is_refused(tmp_path: Path, points: list[object]) -> None:
    structures = _structures(0)
    structures.ROIContourSequence[0].ContourSequence[0].ContourData = points
    structures.save_as(tmp_path / "rs.dcm", implicit_vr=True, little_endian=True)
    with pytest.raises(PixelError):
        read_overlay(tmp_path / "rs.dcm")


@pytest.mark.parametrize("spacing", [None, [0, 1], [1], ["x", 1], [float("nan"), 1]])
def test_an_image_that_does_not_say_where_it_lies_has_no_grid(spacing: object) -> None:
    assert make_grid([0, 0, 0], AXIAL, spacing) is None
    assert make_grid([0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 1]) is None


def test_the_reference_is_found_in_headers_of_any_shape() -> None:
    def sequence(name: str, item: object) -> dict[str, object]:
        return {name: {"vr": "SQ", "Value": [item]}}

    uid = {"SeriesInstanceUID": {"vr": "UI", "Value": ["1.2.3"]}}
    assert referenced_series(sequence("ReferencedSeriesSequence", uid)) == "1.2.3"
    nested = sequence("RTReferencedStudySequence", sequence("RTReferencedSeriesSequence", uid))
    assert referenced_series(sequence("ReferencedFrameOfReferenceSequence", nested)) == "1.2.3"
    for odd in (
        {},
        {"ReferencedSeriesSequence": None},
        {"ReferencedSeriesSequence": {"Value": "x"}},
        sequence("ReferencedSeriesSequence", None),
    ):
        assert referenced_series(odd) == ""


def test_overlays_can_be_told_apart() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
