"""What the quick look at a data set affirms, the thorough one affirms, too."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    read_leading_uids,
)
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors import dimse_judging
from hilum.doors.dimse_judging import Judged, judge_data_set, judge_head

CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"
COMMAND = CStoreRequest(message_id=1, affected_sop_class_uid=CLASS, affected_sop_instance_uid=INSTANCE)
LONG_VRS = {"OB", "UN", "SQ"}
UIDS = ((0x0016, "UI", CLASS), (0x0018, "UI", INSTANCE))


def element(number: int, vr: str, text: str, *, explicit: bool, group: int = 8) -> bytes:
    value = text.encode("latin-1")
    value += b"\0" * (len(value) % 2)
    if not explicit:
        return struct.pack("<HHI", group, number, len(value)) + value
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def data_set(*elements: tuple[int, str, str], explicit: bool = True) -> bytes:
    end = element(0x0010, "PN", "Nobody", explicit=explicit, group=0x10)
    return b"".join(element(number, vr, text, explicit=explicit) for number, vr, text in elements) + end


@pytest.mark.parametrize("explicit", [True, False])
def test_usual_elements_before_the_uids_need_no_closer_look(explicit: bool) -> None:
    head = data_set((0x0005, "CS", "ISO_IR 100"), (0x0008, "CS", "ORIGINAL\\PRIMARY"), (0x0012, "DA", "20260101"), *UIDS, explicit=explicit)
    assert read_leading_uids(head, 0, explicit=explicit) == (CLASS, INSTANCE)


@pytest.mark.parametrize(
    "head",
    [
        data_set(UIDS[1], UIDS[0]),  # tags fall
        data_set(UIDS[0], UIDS[0], UIDS[1]),  # one comes twice
        data_set(UIDS[0]),  # the one that counts is not there
        data_set(*UIDS)[:40],  # cut off
        b"",
        data_set(*UIDS)[:-14],  # nothing shows that the last is past
        data_set(*UIDS, (0x0018, "UI", "1.2.3.99")),  # the one that counts comes twice
        data_set(UIDS[0], (0x0018, "OB", INSTANCE)),
        data_set(UIDS[0], (0x0018, "SQ", INSTANCE)),
        data_set((0x0016, "SQ", CLASS), UIDS[1]),
        b"\x08\x00\x05\x00SQ\x00\x00\xff\xff\xff\xff" + data_set(*UIDS),  # a sequence of undefined length
    ],
)
def test_anything_unusual_is_left_to_a_closer_look(head: bytes) -> None:
    assert read_leading_uids(head, 0, explicit=True) is None


def test_uids_inside_an_earlier_value_are_not_those_of_the_data_set() -> None:
    inner = data_set(*UIDS).decode("latin-1")
    head = data_set((0x0008, "UN", inner), (0x0016, "UI", CLASS), (0x0018, "UI", "1.2.3.9"))
    assert judge_head(memoryview(head), 0, EXPLICIT_VR_LITTLE_ENDIAN, COMMAND) != Judged(None)


def test_a_deflated_data_set_is_never_taken_for_a_plain_one() -> None:
    assert judge_head(memoryview(data_set(*UIDS)), 0, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, COMMAND) != Judged(None)


others = st.tuples(
    st.sampled_from([0x0000, 0x0001, 0x0005, 0x0008, 0x0014, 0x0017, 0x0019]),
    st.sampled_from(["UI", "CS", "LO", "UL", "OB", "UN", "SQ"]),
    st.sampled_from([CLASS, INSTANCE, "", "X", "\0\0\0\0"]),
)
classes = st.tuples(st.just(0x0016), st.sampled_from(["UI", "UI", "LO", "SQ"]), st.sampled_from([CLASS, CLASS, INSTANCE]))
instances = st.tuples(st.just(0x0018), st.sampled_from(["UI", "UI", "OB", "SQ"]), st.sampled_from([INSTANCE, INSTANCE + " ", "1.2.3.40"]))
elements = st.builds(
    lambda *parts: [each for part in parts for each in part],
    *(st.lists(others, max_size=3), st.lists(classes, min_size=1, max_size=2)),
    *(st.lists(others, max_size=1), st.lists(instances, min_size=1, max_size=2), st.lists(others, max_size=1)),
)


@settings(max_examples=1000)
@given(elements, st.booleans(), st.booleans(), st.integers(0, 60))
def test_what_is_affirmed_at_once_is_affirmed_by_reading_it(
    found: list[tuple[int, str, str]], is_sorted: bool, explicit: bool, cut: int
) -> None:
    syntax = EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN
    head = data_set(*(sorted(found) if is_sorted else found), explicit=explicit)
    quick = judge_head(memoryview(head[: len(head) - cut]), 0, syntax, COMMAND)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dimse_judging, "read_leading_uids", lambda *_arguments, **_keywords: None)
        thorough = judge_data_set(memoryview(head), 0, syntax, COMMAND, is_whole=True)
    if quick == Judged(None):
        assert thorough is None
