import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.dicom.uids import is_valid_uid, new_uid, remap_uid

KEY = b"a secret of thirty-two bytes ...."


@pytest.mark.parametrize("uid", ["1.2", "1.2.840.10008.1.1", "2.25.0", "0.0", "1." + "2" * 62])
def test_a_uid_by_the_book_is_valid(uid: str) -> None:
    assert is_valid_uid(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "",
        "1",
        "1.",
        ".1",
        "1..2",
        "1.02",
        "01.2",
        "1.2 ",
        "1.2\0",
        "1.2\n",
        "1.2.a",
        "../../etc/x",
        "C:\\x",
        "1." + "2" * 63,
        "1.२",
        "-1.2",
    ],
)
def test_anything_else_is_no_uid(uid: str) -> None:
    assert not is_valid_uid(uid)


def test_new_uids_are_valid_and_differ() -> None:
    made = {new_uid() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_valid_uid(uid) and uid.startswith("2.25.") for uid in made)


@given(st.text(st.characters(exclude_categories=())))
def test_a_remapped_uid_is_valid_whatever_came_in(uid: str) -> None:
    mapped = remap_uid(KEY, uid)
    assert mapped == "" if not uid.strip(" \0") else is_valid_uid(mapped)


def test_remapping_is_stable_across_releases() -> None:
    assert remap_uid(b"0123456789abcdef", "1.2.840.10008.1.1") == remap_uid(b"0123456789abcdef", "1.2.840.10008.1.1\0")
    assert remap_uid(b"0123456789abcdef", "1.2.840.10008.1.1") == "2.25.211767497251335805053336350490904056190"


def test_another_key_or_another_uid_gives_another_mapping() -> None:
    assert remap_uid(KEY, "1.2.3") != remap_uid(KEY, "1.2.4")
    assert remap_uid(KEY, "1.2.3") != remap_uid(KEY[::-1], "1.2.3")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 16 bytes"):
        remap_uid(b"short", "1.2.3")
