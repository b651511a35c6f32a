"""dcm2niix as a processor yields what it yields by hand, under safe names."""

import json
import shutil
import subprocess
from pathlib import Path

import dcm2niix as wheel
import nibabel
import numpy as np
import pytest

from hilum.processors import Artifacts, Unusable
from hilum.processors.dcm2niix import Dcm2niix


def by_hand(folder: Path, out: Path) -> dict[str, Path]:
    out.mkdir()
    subprocess.run([wheel.bin, "-g", "i", "-z", "i", "-b", "y", "-f", "x", "-o", out, folder], check=True, capture_output=True)
    return {path.name.removeprefix("x"): path for path in out.iterdir()}


def names(answer: Artifacts | Unusable) -> list[str]:
    assert isinstance(answer, Artifacts), answer
    return [file.name for file in answer.files]


def test_voxels_equal_those_of_dcm2niix_run_by_hand(shared_data: Path, tmp_path: Path, order_for, answer_to, series):
    study = shared_data / "ms_dicom" / "patient01"
    order = order_for(Dcm2niix, series(study / "t1", "t1"), series(study / "flair", "flair"))

    answer = answer_to(Dcm2niix, order)

    assert names(answer) == ["t1.json", "t1.nii.gz", "flair.json", "flair.nii.gz"]
    for role in ("t1", "flair"):
        hand = by_hand(study / role, tmp_path / role)
        ours, theirs = nibabel.load(order.output / f"{role}.nii.gz"), nibabel.load(hand[".nii.gz"])
        assert np.array_equal(ours.dataobj, theirs.dataobj)
        assert np.array_equal(ours.affine, theirs.affine)
        assert (order.output / f"{role}.nii.gz").read_bytes() == hand[".nii.gz"].read_bytes()
        assert json.loads((order.output / f"{role}.json").read_text()) == json.loads(hand[".json"].read_text())


def test_provenance_names_tool_version_options_and_series(shared_data: Path, order_for, answer_to, series):
    given = series(shared_data / "volumes" / "ge_anatomical_001", "t1")
    answer = answer_to(Dcm2niix, order_for(Dcm2niix, given))

    assert isinstance(answer, Artifacts)
    assert answer.provenance["processor"] == "dcm2niix"
    assert answer.provenance["version"].startswith("v1.0.")
    assert answer.provenance["options"] == ["-g", "i", "-z", "i", "-b", "y", "-ba", "y"]
    assert answer.provenance["series"] == {"t1": given.series_instance_uid}


def test_several_volumes_of_a_series_keep_their_endings(shared_data: Path, order_for, series):
    folder = shared_data / "mr_pd_t2_interleaved" / "Siemens" / "VE11"

    assert names(Dcm2niix.run(order_for(Dcm2niix, series(folder, "pd_t2")))) == [
        "pd_t2_e1.json",
        "pd_t2_e1.nii.gz",
        "pd_t2_e2.json",
        "pd_t2_e2.nii.gz",
    ]


def test_a_sidecar_holds_no_identity_by_default(shared_data: Path, order_for, series):
    order = order_for(Dcm2niix, series(shared_data / "ms_dicom" / "patient01" / "t1", "t1"))
    Dcm2niix.run(order)
    sidecar = (order.output / "t1.json").read_text()

    assert '"SeriesDescription": "T1W 3D"' in sidecar
    for identity in ("Ljubljana", "MS-0001", "1971", "ACC-15"):
        assert identity not in sidecar


@pytest.mark.parametrize("sent", ["../../etc/passwd", "%n_%i", "$(touch x); `id`", "=HYPERLINK(1)", "-o /tmp", "Ω脳", "a\x00b\nc"])
def test_a_description_never_becomes_a_path_or_an_option(sent: str, shared_data: Path, order_for, series):
    folder = shared_data / "volumes" / "ge_anatomical_001"
    order = order_for(Dcm2niix, series(folder, description=sent), series(folder, description=sent))
    made = names(Dcm2niix.run(order))

    assert len(made) == 4
    assert {path.name for path in order.output.iterdir()} == set(made)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.") for name in made)


@pytest.mark.parametrize(
    "volume",
    [
        "generic_rgb_001",
        "philips_enhanced_anatomical_001",
        "generic_compressed_j2k_001",
        "generic_compressed_jpeg_001",
        "generic_compressed_jpegls_001",
        "generic_compressed_rle_001",
    ],
)
def test_colour_multi_frame_and_compressed_series_are_converted(volume: str, shared_data: Path, order_for, series):
    order = order_for(Dcm2niix, series(shared_data / "volumes" / volume, "t1"))

    assert names(Dcm2niix.run(order)) == ["t1.json", "t1.nii.gz"]
    assert nibabel.load(order.output / "t1.nii.gz").ndim >= 3


@pytest.fixture
def a_report(shared_data: Path, tmp_path: Path) -> Path:
    """A series that is one structured report."""
    folder = tmp_path / "report"
    folder.mkdir()
    shutil.copy(shared_data / "segmentations_dcmqi" / "sr-example" / "sr.dcm", folder / "1.dcm")
    return folder


def test_a_series_without_images_cannot_be_used(a_report: Path, order_for, answer_to, series):
    answer = answer_to(Dcm2niix, order_for(Dcm2niix, series(a_report, "t1", modality="SR")))

    assert isinstance(answer, Unusable)
    assert answer.why == "dcm2niix made no NIfTI of t1: No valid DICOM images were found."


def test_without_roles_the_series_that_can_be_converted_are(a_report: Path, shared_data: Path, order_for, series):
    good = series(shared_data / "volumes" / "ge_anatomical_001", description="T1")
    answer = Dcm2niix.run(order_for(Dcm2niix, series(a_report, description="Report"), good))

    assert names(answer) == ["t1.json", "t1.nii.gz"]
    assert list(answer.provenance["not_converted"]) == ["report"]


def test_a_truncated_image_is_not_left_out_in_silence(shared_data: Path, tmp_path: Path, order_for, series):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data / "volumes" / "generic_compressed_j2k_001", folder)
    first = min(folder.iterdir())
    first.write_bytes(first.read_bytes()[:-9000])

    answer = Dcm2niix.run(order_for(Dcm2niix, series(folder, "t1")))

    assert isinstance(answer, Unusable), answer


def test_no_setting_is_misspelt_in_silence():
    with pytest.raises(ValueError, match="sidecra"):
        Dcm2niix.Settings(sidecra="all")
