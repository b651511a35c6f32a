"""Real files: pixels and geometry stay, and dciodvfy finds no error that the original has not."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from deidentifying import RESEARCH, answer_of, engine_of
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from hilum.deidentification.engine import Engine, Rewritten

GEOMETRY = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "NumberOfFrames")


def files_of(shared_data: Path) -> list[Path]:
    """One of each folder, and all of those that hold something different each."""
    every = [path for path in sorted(shared_data.rglob("*")) if path.suffix in {".dcm", ".seg", ".IMA", ""} and path.is_file()]
    return [path for number, path in enumerate(every) if number == 0 or path.parent != every[number - 1].parent or "segm" in str(path)]


def errors_of(file: Path) -> Counter[str]:
    said = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, errors="replace", check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return Counter(re.sub(r"<[^>]*>|\[[^\]]*\]", "", line) for line in lines if line.startswith("Error"))


@pytest.mark.parametrize("options", [(), RESEARCH], ids=["basic", "research"])
def test_pixels_and_geometry_stay_and_no_error_is_new(options: tuple[str, ...], shared_data: Path, tmp_path: Path) -> None:
    assert shutil.which("dciodvfy"), "dciodvfy is missing (package dicom3tools)"
    engine, seen = engine_of(*options), 0
    for file in files_of(shared_data):
        seen += _compare(file, engine, tmp_path / "made.dcm")
    assert seen > 40


def _compare(file: Path, engine: Engine, made: Path) -> int:
    answer, content = answer_of(file.read_bytes(), engine)
    if not isinstance(answer, Rewritten):
        return 0
    made.write_bytes(content)
    before, after = dcmread(file), dcmread(DicomBytesIO(content))
    assert after.get("PixelData") == before.get("PixelData"), file.name
    assert [after.get(keyword) for keyword in GEOMETRY] == [before.get(keyword) for keyword in GEOMETRY], file.name
    assert errors_of(made) - errors_of(file) == Counter(), file.name
    return 1
