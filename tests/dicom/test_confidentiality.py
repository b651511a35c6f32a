"""PS3.15 Table E.1-1 as the product holds it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.dicom import confidentiality
from hilum.dicom.confidentiality import METHODS, Demand, Need, Option, code_of, resolve, row_of, table

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_is_what_the_script_makes_of_the_source(shared_data: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    script = ROOT / "tables" / "convert_confidentiality.py"
    subprocess.run([sys.executable, str(script), str(shared_data / "ps3.15-table-e1-1.json"), str(made)], check=True)
    assert made.read_bytes() == Path(confidentiality.__file__).with_name("confidentiality.json").read_bytes()


def test_every_row_of_both_editions_is_there(shared_data: Path) -> None:
    source = json.loads((shared_data / "ps3.15-table-e1-1.json").read_text())
    patterns_told_twice = sum("note" in row for row in source["rows_only_in_2026c"])
    assert len(table().rows) == len(source["rows"]) + len(source["rows_only_in_2026c"]) - patterns_told_twice
    assert len({row.tag for row in table().rows}) == len(table().rows)


def test_every_code_can_be_resolved_for_every_need() -> None:
    for row in table().rows:
        for code in {row.basic, *row.options.values()}:
            for need in Need:
                assert isinstance(resolve(code, need), Demand)


@pytest.mark.parametrize(
    ("code", "need", "demand"),
    [
        ("X/Z", Need.NOTHING, Demand.REMOVE),
        ("X/Z", Need.EMPTY_ALLOWED, Demand.EMPTY),
        ("X/Z/D", Need.VALUE, Demand.DUMMY),
        ("Z/D", Need.NOTHING, Demand.EMPTY),
        ("X/Z/U*", Need.VALUE, Demand.REPLACE_UID),
        ("X", Need.EMPTY_ALLOWED, Demand.EMPTY),
        ("X", Need.VALUE, Demand.DUMMY),
    ],
)
def test_a_conditional_code_follows_the_type(code: str, need: Need, demand: Demand) -> None:
    assert resolve(code, need) is demand


def test_a_conditional_type_counts_as_needed() -> None:
    assert (Need.of_type("1C"), Need.of_type("2C"), Need.of_type("3")) == (Need.VALUE, Need.EMPTY_ALLOWED, Need.NOTHING)


def test_an_option_that_cleans_wins_over_one_that_keeps() -> None:
    row = row_of(0x0018700C)  # Date of Last Detector Calibration
    assert row is not None
    assert code_of(row, frozenset()) == "X/D"
    assert code_of(row, frozenset({Option.RETAIN_DEVICE_IDENTITY})) == "K"
    assert code_of(row, frozenset({Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_MODIFIED_DATES})) == "C"


@pytest.mark.parametrize(
    ("tag", "name"),
    [(0x60003000, "Overlay Data"), (0x60FE4000, "Overlay Comments"), (0x50040005, "Curve Data"), (0x00191010, "Private Attributes")],
)
def test_patterns_are_found_by_any_of_their_tags(tag: int, name: str) -> None:
    row = row_of(tag)
    assert row is not None
    assert row.name == name


def test_what_the_table_does_not_know_has_no_row() -> None:
    assert row_of(0x00280010) is None  # Rows
    assert row_of(0x60000010) is None  # Overlay Rows


def test_every_option_has_its_code_of_cid_7050() -> None:
    assert set(METHODS) == set(Option)
    assert len({method.value for method in METHODS.values()}) == len(Option)
