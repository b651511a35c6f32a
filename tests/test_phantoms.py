"""The phantom is valid DICOM, is made quickly, and its volumes are what it says."""

import shutil
import subprocess
from pathlib import Path
from time import process_time

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from hilum.phantoms import COLUMNS, HEAD, LESION, NOISE, ROWS, SLICES, SPACING, WHITE_MATTER, PhantomStudy, _amounts, make_phantom_study


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomStudy]:
    folder = tmp_path_factory.mktemp("phantom")
    return folder, make_phantom_study(folder)


def voxels(folder: Path) -> NDArray[np.float64]:
    return np.stack([pydicom.dcmread(path).pixel_array for path in sorted(folder.iterdir())]).astype(float)


def test_both_series_are_whole_and_of_one_study(phantom):
    _, study = phantom
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in study.files]

    assert len(headers) == 2 * SLICES
    assert {header.StudyInstanceUID for header in headers} == {study.study_instance_uid}
    assert {header.AccessionNumber for header in headers} == {study.accession_number}
    assert {(header.SeriesDescription, header.InversionTime) for header in headers} == {("T1W 3D", 900), ("FLAIR", 2800)}
    assert len({header.SOPInstanceUID for header in headers}) == 2 * SLICES
    assert len({header.SeriesInstanceUID for header in headers}) == 2


def brighter_than_everything_else(folder: Path) -> NDArray[np.bool_]:
    """Lesions in FLAIR: nothing else is as bright."""
    return voxels(folder / "flair") > (WHITE_MATTER.flair + LESION.flair) / 2


def test_lesions_have_the_volume_they_should_have(phantom):
    folder, study = phantom
    measured = brighter_than_everything_else(folder).sum() * np.prod(SPACING) / 1000

    assert measured == pytest.approx(study.volumes_ml["lesions"], rel=0.1)


def test_the_ellipsoids_of_known_volume_fill_just_that_and_lie_apart():
    named = [(part, amount) for part, amount in zip(HEAD, _amounts(), strict=True) if part.name]
    together = np.zeros((SLICES, ROWS, COLUMNS))
    for part, amount in named:
        together[amount.box] += amount.filled
        assert amount.filled.sum() * np.prod(SPACING) / 1000 == pytest.approx(part.volume_ml, rel=0.02, abs=0.005), part.name

    assert together.max() <= 1.0001


def test_the_noise_in_air_is_that_of_a_rayleigh_distribution(phantom):
    folder, _ = phantom
    air = voxels(folder / "t1")[:, :12, :12]

    assert np.sqrt((air**2).mean() / 2) == pytest.approx(NOISE, rel=0.02)


def test_a_missing_slice_is_missing_in_flair_only(tmp_path: Path):
    study = make_phantom_study(tmp_path, patient_id="PHANTOM-2", without_slice=17)

    assert len(study.files) == 2 * SLICES - 1
    assert (tmp_path / "t1" / "IM-0017.dcm").exists()
    assert not (tmp_path / "flair" / "IM-0017.dcm").exists()


def test_the_same_arguments_give_the_same_bytes_and_others_another_study(tmp_path: Path):
    first, again, other = (make_phantom_study(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))

    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in again.files]
    assert first.study_instance_uid != other.study_instance_uid


def test_a_study_takes_less_than_two_seconds(tmp_path: Path):
    began = process_time()
    make_phantom_study(tmp_path)

    assert process_time() - began < 2.0


def test_dciodvfy_finds_no_error(phantom):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dicom3tools is not installed")
    folder, _ = phantom
    for series in ("t1", "flair"):
        said = subprocess.run(["dciodvfy", folder / series / "IM-0003.dcm"], capture_output=True, text=True, check=False).stderr
        assert "Error" not in said, said
        assert "MRImage" in said
