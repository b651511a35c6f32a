"""Missing, duplicate and irregular slices, orientations, spacings and tilts: on real series, and on stacks that are bent on purpose."""

import math
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from checked import MEMBERS, check_files, dicom_files, kinds, the

from images import image

STUDY = "1.2.826.1"
SERIES = f"{STUDY}.1"
BY_CATALOGUE = {kind: member for kind, member in MEMBERS.items() if hasattr(member, "check")}
GEOMETRIC = {"missing-slices", "duplicate-slices", "irregular-slices", "mixed-orientation", "mixed-spacing", "expected-counts"}


def stack(numbers, **attributes) -> list[bytes]:
    return [image(number, **attributes) for number in numbers]


def folders_of(root: Path) -> list[Path]:
    return sorted({path.parent for path in root.rglob("*") if path.is_file()})


def geometric(found):
    return [finding for finding in found if finding.check in GEOMETRIC]


def test_no_series_of_all_real_images_raises_a_false_alarm_about_its_slices(shared_data: Path):
    for folder in folders_of(shared_data):
        files = [path.read_bytes() for path in folder.iterdir() if path.is_file() and path.stat().st_size < 1 << 24]
        files = [body for body in files if body[128:132] == b"DICM"]
        assert geometric(check_files(files, members=BY_CATALOGUE)) == [], folder


def test_of_pydicom_s_files_only_the_series_that_lacks_161_slices_lacks_any():
    root = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    found = [finding for folder in folders_of(root) for finding in geometric(check_files(dicom_files(folder)))]
    assert {finding.sentence.split(".")[0] for finding in found} == {'Slices 2 to 162 are missing in series 2 "Routine Brain"'}


def test_every_slice_of_a_real_t1_that_is_taken_away_is_found(shared_data: Path):
    """The first and the last too, where somebody announced how many there are."""
    files = dicom_files(shared_data / "ms_dicom" / "patient01" / "t1")
    uid = series_uid_of(files)
    for taken in range(len(files)):
        found = check_files([*files[:taken], *files[taken + 1 :]], expected={uid: len(files)})
        assert kinds(geometric(found)) == ["missing-slices"], taken
        assert the(found, "missing-slices").sentence.startswith(("Slice ", "1 slice is")), taken


def series_uid_of(files: list[bytes]) -> str:
    import io

    return str(pydicom.dcmread(io.BytesIO(files[0]), stop_before_pixels=True).SeriesInstanceUID)


def test_a_missing_slice_names_the_images_beside_it():
    found = the(check_files(stack([1, 2, 3, 5, 6, 7])), "missing-slices")
    assert found.sentence.startswith('Slice 4 is missing in series 1 "T1".')
    assert found.instances == (f"{SERIES}.3", f"{SERIES}.5")


@pytest.mark.parametrize("taken", [1, 7])
def test_the_first_and_the_last_slice_are_missed_where_the_count_was_announced(taken: int):
    numbers = [number for number in range(1, 8) if number != taken]
    assert "missing-slices" not in kinds(check_files(stack(numbers)))
    found = check_files(stack(numbers), expected={SERIES: 7})
    assert the(found, "missing-slices").sentence.startswith(f"Slice {taken} is missing")


def test_a_series_that_was_announced_and_did_not_come_is_missed():
    told = [finding.sentence for finding in check_files(stack(range(1, 6)), expected={"1.2.3.4": 12}) if finding.check == "expected-counts"]
    assert told == ["The series 1.2.3.4 was announced with 12 instances, and none came. Send what is missing, or let it go on as it is."]


def test_images_without_a_position_are_counted_against_what_was_announced():
    files = [image(number, ImagePositionPatient=None, ImageOrientationPatient=None) for number in (1, 2, 4)]
    assert "expected-counts" not in kinds(check_files(files))
    found = check_files(files, expected={SERIES: 4})
    assert kinds(geometric(found)) in (["expected-counts"], ["missing-slices"])
    assert "skipped-numbers" in kinds(found)


def test_the_frames_of_an_enhanced_image_are_judged_like_slices(shared_data: Path, tmp_path: Path):
    (path,) = [one for one in (shared_data / "volumes" / "philips_enhanced_anatomical_001").iterdir() if one.is_file()]
    assert geometric(check_files([path.read_bytes()])) == []
    dataset = pydicom.dcmread(path)
    frames = dataset.PerFrameFunctionalGroupsSequence
    del frames[3]
    dataset.NumberOfFrames = len(frames)
    dataset.save_as(tmp_path / "without.dcm")
    assert the(check_files([(tmp_path / "without.dcm").read_bytes()]), "missing-slices").sentence.startswith("Slice 4 is missing")


def test_an_image_sent_twice_under_another_uid_is_a_duplicate():
    found = the(check_files([*stack(range(1, 6)), image(3, SOPInstanceUID=f"{SERIES}.99")]), "duplicate-slices")
    assert set(found.instances) == {f"{SERIES}.3", f"{SERIES}.99"}


def test_two_echoes_at_the_same_places_are_no_duplicates():
    second = [image(number, EchoNumbers=2, SOPInstanceUID=f"{SERIES}.2{number}", InstanceNumber=number + 5) for number in range(1, 6)]
    assert geometric(check_files([*stack(range(1, 6), EchoNumbers=1), *second])) == []


def test_steps_of_another_length_are_irregular_and_nothing_is_missing():
    files = [image(number, ImagePositionPatient=[0, 0, place]) for number, place in enumerate((0, 1, 2, 3, 4, 5.3, 6.3, 7.3), 1)]
    found = check_files(files)
    assert kinds(geometric(found)) == ["irregular-slices"]
    assert the(found, "irregular-slices").instances == (f"{SERIES}.5",)


CORONAL = [1, 0, 0, 0, 0, -1]


def test_a_coronal_image_among_axial_ones_is_a_mixed_orientation_unless_they_are_a_localiser():
    odd = {"ImageOrientationPatient": CORONAL, "SOPInstanceUID": f"{SERIES}.99"}
    assert the(check_files([*stack(range(1, 6)), image(9, **odd)]), "mixed-orientation").instances == (f"{SERIES}.99",)
    localiser = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    assert geometric(check_files([*stack(range(1, 6), **localiser), image(9, **odd, **localiser)])) == []


def test_another_pixel_spacing_within_one_volume_is_told():
    files = [*stack(range(1, 6)), image(6, PixelSpacing=[2, 2])]
    assert the(check_files(files), "mixed-spacing").instances == (f"{SERIES}.6",)


def test_a_tilted_gantry_is_told_with_its_angle_and_nothing_is_missing():
    lean = math.tan(math.radians(15))
    files = [image(number, ImagePositionPatient=[0, round(number * lean, 6), number]) for number in range(1, 11)]
    found = check_files(files)
    assert geometric(found) == []
    assert "sheared by 15.0 degrees" in the(found, "gantry-tilt").sentence


@pytest.mark.parametrize("orientation", [[-1, 0, 0, 0, -1, 0], [0, 1, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0]])
def test_decubitus_and_prone_stacks_raise_no_alarm(orientation):
    assert geometric(check_files(stack(range(1, 8), ImageOrientationPatient=orientation))) == []
    found = check_files(stack([1, 2, 4, 5, 6, 7], ImageOrientationPatient=orientation))
    assert kinds(geometric(found)) == ["missing-slices"]
