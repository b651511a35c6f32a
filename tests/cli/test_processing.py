"""The commands that bring their own server: process and demo."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def test_process_makes_results_from_a_folder(hilum: Callable, phantoms: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"

    ran = hilum("process", phantoms / "whole", "--report-type", "nifti", "--out", out, "--json")

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert {Path(path).name for path in told["results"]} == {path.name for path in out.iterdir()}
    assert any(path.name.endswith(".nii.gz") for path in out.iterdir())


def test_process_of_a_study_with_a_missing_slice_says_which_and_keeps_everything(hilum: Callable, phantoms: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"

    ran = hilum("process", phantoms / "short", "--report-type", "brain_ms", "--out", tmp_path / "results", "--data", data)

    assert ran.returncode == 1
    assert 'Slice 17 is missing in series 3 "FLAIR".' in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list((data / "packs").iterdir())


def test_process_tells_programs_why_it_is_held_and_takes_a_zip(hilum: Callable, phantoms: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "short"), "zip", phantoms / "short")
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    ran = hilum("process", archive, "--report-type", "brain_ms", "--out", tmp_path / "results", "--json", TMPDIR=str(scratch))

    assert ran.returncode == 1
    told = json.loads(ran.stdout)
    assert (told["upload"]["outcome"], told["results"]) == ("held", [])
    assert "Slice 17 is missing" in ran.stderr
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("wrong", ["empty", "report type", "out", "no zip"])
def test_process_refuses_what_cannot_work_before_a_server_starts(hilum: Callable, phantoms: Path, tmp_path: Path, wrong: str) -> None:
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.write_text("no folder")
    source = {"empty": empty, "no zip": file}.get(wrong, phantoms / "whole")
    out = file / "results" if wrong == "out" else tmp_path / "results"

    ran = hilum("process", source, "--report-type", "brian_ms" if wrong == "report type" else "brain_ms", "--out", out)

    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "private server" not in ran.stderr


def test_process_of_a_folder_without_dicom_says_so(hilum: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear colleague")

    ran = hilum("process", folder, "--report-type", "nifti", "--out", tmp_path / "results", "--data", tmp_path / "data")

    assert ran.returncode == 1
    assert "No DICOMs found in the upload." in ran.stderr


def test_process_of_no_folder_is_wrong_usage(hilum: Callable, tmp_path: Path) -> None:
    assert hilum("process", tmp_path / "none", "--report-type", "nifti", "--out", tmp_path).returncode == 2


@pytest.mark.slow
def test_the_demo_tells_every_step_and_succeeds(hilum: Callable, tmp_path: Path) -> None:
    ran = hilum("demo", "--out", tmp_path)

    assert ran.returncode == 0, ran.stderr
    for stage in ("importing", "gathering", "checking", "matching", "deidentifying", "processing", "reviewing", "delivering"):
        assert re.search(rf"whole +{stage} ", ran.stdout)
    assert 'held       short: Slice 17 is missing in series 3 "FLAIR".' in ran.stdout
    assert "Both are as they should be" in ran.stdout
    assert (tmp_path / "results" / "brain_ms.pdf").stat().st_size > 10_000
