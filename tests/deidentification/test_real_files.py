"""Real files: pixels, geometry, intervals and references stay, and dciodvfy finds no error that the original has not.

A sample; `bench/deid_real.py` does the same with every file there is.
"""

import shutil
from pathlib import Path

import pytest
from deidentifying import KEY
from unharmed import Tally, real_files

from hilum.deidentification.engine import Engine
from hilum.runtime.deidentifying import find_profile
from hilum.runtime.registry import find_members
from hilum.runtime.settings import Settings


def sample(shared_data: Path) -> list[Path]:
    """Of a folder the first and the last, and all of those that hold something different each."""
    chosen = []
    for folder, files in real_files(shared_data).items():
        chosen += files if "segm" in folder or ("test_files" in folder and "dicomdirtests" not in folder) else {files[0], files[-1]}
    return chosen


@pytest.mark.parametrize("name", ["basic", "research"])
def test_what_must_stay_stays(name: str, shared_data: Path, tmp_path: Path) -> None:
    assert shutil.which("dciodvfy"), "dciodvfy is missing (package dicom3tools)"
    engine = Engine(find_profile(Settings(data=tmp_path), name), KEY, find_members("hilum.actions"))
    tally = Tally()
    for file in sample(shared_data):
        tally.take(file, engine, tmp_path / "made.dcm")
    assert tally.answers["Rewritten"] > 100
    assert (tally.harm, tally.new_errors) == ({}, {})
    assert not any("self-check found" in reason for reason in tally.reasons)
    assert (tally.torn_references, tally.torn_dates) == (0, 0)
    assert len(tally.uids) > 100
    assert bool(any(tally.offsets.values())) == (name == "research")
