"""Real files: pixels, geometry, intervals and references stay, and dciodvfy finds no error that the original has not.

A sample; `bench/deid_real.py` does the same with every file there is.
"""

import shutil
from pathlib import Path

import pytest
from deidentifying import shipped_engine
from unharmed import Tally, real_files


def sample(shared_data: Path) -> list[Path]:
    """Of a folder the first and the last, and all of those that hold something different each."""
    chosen = []
    for folder, files in real_files(shared_data).items():
        chosen += files if "segm" in folder or ("test_files" in folder and "dicomdirtests" not in folder) else {files[0], files[-1]}
    return chosen


@pytest.mark.parametrize("name", ["basic", "research"])
def test_what_must_stay_stays(name: str, shared_data: Path, tmp_path: Path) -> None:
    assert shutil.which("dciodvfy"), "dciodvfy is missing (package dicom3tools)"
    engine = shipped_engine(name)
    tally = Tally()
    for file in sample(shared_data):
        tally.take(file, engine, tmp_path)
    assert tally.answers["Rewritten"] > 100
    assert (tally.harm, tally.new_errors) == ({}, {})
    assert not any("self-check found" in reason for reason in tally.reasons)
    assert (tally.torn_references, tally.torn_dates) == (0, 0)
    assert len(tally.uids) > 100
    assert bool(any(tally.offsets.values())) == (name == "research")
