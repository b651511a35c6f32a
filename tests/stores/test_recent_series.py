"""What a dry-run reads of many series is what matching reads of one, on SQLite and PostgreSQL."""

import pytest

from hilum.model.identity import SYSTEM

HEADER = {
    "SeriesNumber": 3,
    "SeriesDescription": 'Schädel "T1" \\ 頭',
    "EchoTime": 2.0,
    "RepetitionTime": 2300.5,
    "NumberOfFrames": 10**15,
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "ProtocolName": "",
    "RequestAttributesSequence[*].CodeValue": ["A", "B"],
    "(0019,100C) SIEMENS MR HEADER": 1000,
    '(0019,100C) A "QUOTED" CREATOR': "quoted",
    "(0019,100C) SCHÄDEL": "not ASCII",
    "(0019,100C) BACK\\SLASH": "escaped",
}
MANY = [f"(0019,10{number:02X}) CREATOR" for number in range(120)]


@pytest.fixture
def held(site, image):
    """The series as matching reads it."""
    site.deliver(image("1.2.1.1.1", attributes=HEADER))
    return site.catalogue.list_series(SYSTEM)[0]


def read(site, names):
    (by_study,) = site.catalogue.recent_series(SYSTEM, site.study().created_at, names)
    ((series,),) = by_study.values()
    return series


@pytest.mark.parametrize("names", [[], *([name] for name in HEADER), list(HEADER), [*HEADER, *MANY], ["EchoTime", "NeverSent"]], ids=str)
def test_the_wanted_attributes_are_read_as_they_are_kept(site, held, names):
    found = read(site, names).attributes
    wanted = {"SeriesNumber", *names}
    as_kept = {name: value for name, value in held.attributes.items() if name in wanted}
    assert {name: repr(value) for name, value in found.items() if name in wanted} == {name: repr(as_kept[name]) for name in as_kept}


def test_all_else_of_a_series_is_as_matching_reads_it(site, held):
    found = read(site, ["Modality"])
    assert {name: getattr(found, name) for name in ("id", "key", "study_id", "project", "series_instance_uid", "modality")} == {
        name: getattr(held, name) for name in ("id", "key", "study_id", "project", "series_instance_uid", "modality")
    }
    assert (found.description, found.number_of_instances) == (held.description, held.number_of_instances)


def test_only_what_is_not_asked_for_is_left_out(site, held):
    assert "RepetitionTime" in held.attributes
    assert set(read(site, ["EchoTime"]).attributes) == {"SeriesNumber", "EchoTime"}
