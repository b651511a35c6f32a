"""The second opinion of `dciodvfy`: the real tool, on real images, without a value that it quotes."""

import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pydicom.data
import pytest
from checked import Memory, changed, check_files, dicom_files, kinds, the
from line import open_line, settings_in

from hilum.checks.dciodvfy import errors_in
from hilum.processors import Limits
from hilum.runtime.asking_tools import LIMITS, ToolAsker
from images import image, series_of

installed = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")


@pytest.fixture
def opinions(tmp_path: Path):
    """What the check finds in files."""

    def ask(files: list[bytes], allowed: tuple[str, ...] = ("dciodvfy",), limits: Limits = LIMITS):
        vault = Memory()
        tools = SimpleNamespace(vault=vault, scratch=tmp_path, check_stop=lambda: None, until_stopped=lambda _: nullcontext())
        for body in files:
            vault.add(body)
        return check_files(files, ask=ToolAsker(tools, allowed=allowed, limits=limits))

    return ask


@installed
def test_its_errors_are_one_warning_a_series_that_names_the_image(opinions, shared_data: Path):
    found = the(opinions(dicom_files(shared_data / "ms_dicom" / "patient01" / "t1")), "dciodvfy")
    assert (found.severity, len(found.instances)) == ("warning", 1)
    assert "PatientPosition: Missing attribute for Type 2C Conditional (module GeneralSeries)" in found.sentence


@installed
def test_a_value_that_it_quotes_is_not_told(opinions):
    name = "Ljub'ljana> - <Vera"
    found = the(opinions([changed(image(1, PatientName=name, PatientSex="SECRET"), StudyDate="19991341")]), "dciodvfy")
    assert "StudyDate: Value invalid for this VR [DA]" in found.sentence
    assert "PatientSex: Unrecognized enumerated value" in found.sentence
    assert not any(word in found.sentence for word in ("SECRET", "19991341", "Ljub", "Vera"))


def test_private_creators_and_lines_within_values_are_not_told():
    words = """Error - </ReferencedImageSequence(0008,1140)[1]/(0029,1010,"Jane Doe")[2]> - Value is zero = <Jane>
Error - Jane Doe
Warning - </PatientName(0010,0010)[1]> - Value dubious for this VR [PN] = <Jane
Error - Information Object Not found
"""
    told = ["ReferencedImageSequence.(0029,1010): Value is zero", "Information Object Not found"]
    assert errors_in(words) == told


@installed
def test_a_file_on_which_it_crashes_has_no_second_opinion(opinions, tmp_path: Path):
    body = (Path(pydicom.data.__file__).parent / "test_files" / "rtdose.dcm").read_bytes()
    found = the(opinions([body]), "dciodvfy")
    assert (found.severity, found.sentence.endswith("dciodvfy crashed on it.")) == ("info", True)
    assert list(tmp_path.iterdir()) == []


@installed
def test_what_does_not_end_in_time_is_ended(opinions):
    found = the(opinions([image(1)], limits=Limits(wall_seconds=0.0)), "dciodvfy")
    assert found.sentence.endswith("did not end within its limits (time).")


def test_a_tool_that_is_asked_for_and_not_installed_is_told(opinions, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    found = the(opinions([image(1)]), "dciodvfy")
    assert (found.severity, "dciodvfy is not installed here; install it" in found.sentence) == ("info", True)


def test_without_the_setting_nobody_is_asked(opinions):
    assert "dciodvfy" not in kinds(opinions([image(1)], allowed=()))


@installed
def test_the_setting_lets_the_line_ask_and_the_study_goes_on(tmp_path: Path):
    with open_line(settings_in(tmp_path / "data", check_tools=("dciodvfy",))) as line:
        study = line.study(line.send(series_of([1, 2, 3])))
        assert [severity for kind, severity, _ in line.findings(study) if kind == "dciodvfy"] == ["warning"]
