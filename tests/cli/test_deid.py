"""hilum deid: files in, files out."""

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from hilum.cli import main
from hilum.dicom.pixels import frame
from images import image


def given(folder: Path, **attributes: object) -> Path:
    folder.mkdir()
    for number in (1, 2):
        (folder / f"Doe_Jane_{number}.dcm").write_bytes(image(number, PatientName="Doe^Jane", **attributes))
    return folder


def test_a_folder_is_deidentified_with_a_report_and_without_names(tmp_path: Path) -> None:
    assert main(["deid", str(given(tmp_path / "in")), str(tmp_path / "out"), "--data", str(tmp_path / "data")]) == 0
    files = list((tmp_path / "out").rglob("*.dcm"))
    assert len(files) == 2
    assert {str(dcmread(file).SOPInstanceUID) for file in files} == {file.stem for file in files}
    report = (tmp_path / "out" / "deidentification-report.json").read_text()
    said = json.loads(report)
    (study,) = said["studies"].values()
    assert study["instances"] == 2
    assert study["actions"]["replace-uid"] == 6
    assert said["self_check"].startswith("every copy was read again")
    everything = report + " ".join(str(path) for path in (tmp_path / "out").rglob("*"))
    assert not any(word in everything for word in ("Doe", "Jane", "1.2.826.1"))


def test_the_same_key_gives_the_same_pseudonyms_next_time(tmp_path: Path) -> None:
    folder = given(tmp_path / "in")
    for out in ("first", "second"):
        assert main(["deid", str(folder), str(tmp_path / out), "--data", str(tmp_path / "data")]) == 0
    first, second = (sorted(path.name for path in (tmp_path / out).rglob("*.dcm")) for out in ("first", "second"))
    assert first == second


def test_no_part_of_a_series_is_written_when_one_instance_is_held(tmp_path: Path) -> None:
    folder = given(tmp_path / "in")
    (folder / "3.dcm").write_bytes(image(3, BurnedInAnnotation="YES"))
    assert main(["deid", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data")]) == 1
    assert not list((tmp_path / "out").rglob("*.dcm"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["deidentification-report.json"]


def test_a_copy_that_still_names_somebody_is_held_and_the_place_is_told_without_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles = tmp_path / "data" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "careless.yaml").write_text("name: careless\nversion: 1\noverrides: [{attribute: ImageComments, action: keep}]\n")
    folder = given(tmp_path / "in", ImageComments="Seen with Jane")
    assert main(["deid", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data"), "--profile", "careless"]) == 1
    told = capsys.readouterr().err
    assert "ImageComments of the copy holds a part of the patient's name." in told
    assert "Jane" not in told.replace("Doe_Jane", "")
    assert not list((tmp_path / "out").rglob("*.dcm"))


@pytest.mark.parametrize("nameless", ["0.dcm", "z.dcm"])
@pytest.mark.parametrize("series", ["1", "2"])
def test_a_name_that_only_a_sibling_of_the_study_states_holds_the_series_that_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nameless: str, series: str
) -> None:
    folder = given(tmp_path / "in")
    comment = {"PatientName": "", "PatientID": "Other", "SeriesDescription": "T1 of Jane"}
    (folder / nameless).write_bytes(image(3, series=f"1.2.826.1.77.{series}", **comment))
    assert main(["deid", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data"), "--profile", "research"]) == 1
    told = capsys.readouterr().err
    assert "SeriesDescription of the copy holds a part of the patient's name." in told
    assert "Jane" not in told
    assert not any(b"Jane" in path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm"))
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_name_that_only_an_object_without_a_copy_states_holds_the_series_that_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.dcm").write_bytes(image(1, PatientName="", SeriesDescription="T1 of Jane"))
    (folder / "2.dcm").write_bytes(image(2, series="1.2.826.1.77.2", PatientName="Doe^Jane", BurnedInAnnotation="YES"))
    assert main(["deid", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data"), "--profile", "research"]) == 1
    assert "SeriesDescription of the copy holds a part of the patient's name." in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_a_used_data_directory_without_its_key_makes_no_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").touch()
    assert main(["deid", str(given(tmp_path / "in")), str(tmp_path / "out"), "--data", str(tmp_path / "data")]) == 1
    assert "hilum key create admin" in capsys.readouterr().err
    assert not (tmp_path / "data" / "keys").exists()


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deid", str(given(tmp_path / "in")), str(tmp_path / "out"), "--profile", "nothing", "--data", str(tmp_path)]) == 1
    assert "basic, keep, research" in capsys.readouterr().err


def test_a_sites_own_profile_is_used(tmp_path: Path) -> None:
    (tmp_path / "data" / "profiles").mkdir(parents=True)
    (tmp_path / "data" / "profiles" / "ours.yaml").write_text(
        "name: ours\nversion: 3\noverrides:\n  - {attribute: SeriesDescription, action: keep}\n"
    )
    assert main(["deid", str(given(tmp_path / "in")), str(tmp_path / "out"), "--profile", "ours", "--data", str(tmp_path / "data")]) == 0
    assert {dcmread(file).SeriesDescription for file in (tmp_path / "out").rglob("*.dcm")} == {"T1"}


def test_a_sites_rules_for_pixels_are_followed_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    profiles, folder = tmp_path / "data" / "profiles", tmp_path / "in"
    profiles.mkdir(parents=True)
    folder.mkdir()
    rule = "{name: banner, where: {Modality: US, Rows: 480, Columns: 640}, blank: [[0, 0, 640, 90]]}"
    (profiles / "ours.yaml").write_text(f"name: ours\noptions: [clean-pixel-data]\npixels: [{rule}]\n")
    ultrasound = get_testdata_file("examples_jpeg2k.dcm", download=False)
    assert ultrasound
    (folder / "1.dcm").write_bytes(Path(ultrasound).read_bytes())
    assert main(["deid", "in", "out", "--data", "data", "--profile", "ours"]) == 0
    (made,) = Path("out").rglob("*.dcm")
    assert not frame(made)[:90].any()
    (study,) = json.loads(Path("out", "deidentification-report.json").read_text())["studies"].values()
    (counted,) = study["pixels"]
    assert (counted["rule"], counted["action"], counted["instances"], counted["regions"]) == ("banner", "blank", 1, 1)
