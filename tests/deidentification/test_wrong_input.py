"""Wrong input: de-identified without a trace, or held with a reason; never passed on unchanged, never a crash."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from deidentifying import RESEARCH, answer_of, checked_answer_of, deidentified, encoded, engine_of, shipped_engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planting import DEFLATED, EXPLICIT, GIVEN, IMPLICIT, NAME, NUMBER, PLANTED, leaks, named, planted_objects
from pydicom import DataElement

from hilum.cli import main
from hilum.deidentification.engine import Answer, Dropped, Held, Rewritten
from images import image

PIXELS = b"\xe0\x7f\x10\x00"
SAFE = [{"private_creator": "SAFE CREATOR", "element": "(0019,xx0C)", "vr": "LO"}]


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """In explicit VR little endian, with whatever length."""
    size = len(value) if length is None else length
    header = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    is_long = vr in {b"OB", b"OW", b"SQ", b"UN", b"UT"}
    return header + (struct.pack("<HI", 0, size) if is_long else struct.pack("<H", size)) + value


def item(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


SEQUENCE_END, ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
PERSON = element(0x00100010, b"PN", f"{NAME}^{GIVEN} ".encode())


def with_element(extra: bytes, before: bytes = PIXELS) -> bytes:
    content = image(1, PatientName=f"{NAME}^{GIVEN}", PatientID=NUMBER)
    at = content.rindex(before)
    return content[:at] + extra + content[at:]


def nested(depth: int) -> bytes:
    content = PERSON
    for _ in range(depth):
        content = element(0x0040A730, b"SQ", item(content))
    return content


def in_character_set(declared: bytes, name: str) -> bytes:
    """Written in Latin-1, and said to be something else."""
    return image(1, SpecificCharacterSet="ISO_IR 100", PatientName=name, PatientID=NUMBER).replace(b"ISO_IR 100", declared)


WRONG: dict[str, bytes] = {
    "an item longer than its sequence": with_element(element(0x00400275, b"SQ", item(PERSON, 4000))),
    "a sequence without its end": with_element(element(0x00400275, b"SQ", item(PERSON), 0xFFFFFFFF)),
    "an item without its end": with_element(element(0x00400275, b"SQ", item(PERSON, 0xFFFFFFFF) + SEQUENCE_END, 0xFFFFFFFF)),
    "an end that nothing began": with_element(SEQUENCE_END + ITEM_END),
    "a sequence that holds no items": with_element(element(0x00400275, b"SQ", PERSON)),
    "an item outside a sequence": with_element(item(PERSON)),
    "eighty sequences in one another": with_element(nested(80)),
    "a text of undefined length": with_element(element(0x00284000, b"UN", item(PERSON) + SEQUENCE_END, 0xFFFFFFFF)),
    "bytes of undefined length": with_element(element(0x00281101, b"OB", item(PLANTED.encode() + b" ") + SEQUENCE_END, 0xFFFFFFFF)),
    "lengths of groups": with_element(element(0x00280000, b"UL", bytes(4)) + element(0x00290000, b"UL", bytes(4))),
    "an odd length": with_element(element(0x00284000, b"LT", b"Featherstone!")),
    "an element twice": with_element(element(0x00284000, b"LT", PLANTED.encode() + b" ") * 2),
    "an element out of its order": with_element(PERSON),
    "a value that is longer than the file": with_element(element(0x00284000, b"LT", PLANTED.encode(), 0xFFF0)),
    "a VR that is none": with_element(element(0x00284000, b"ZZ", PLANTED.encode())),
    "text where a number belongs": with_element(element(0x00281052, b"DS", PLANTED.encode())),
    "text where a short number belongs": with_element(element(0x00280106, b"US", PLANTED.encode() + b" ")),
    "text where a UID belongs": with_element(element(0x00281199, b"UI", PLANTED.encode() + b" ")),
    "text where a date belongs": with_element(element(0x00281000, b"DA", PLANTED.encode() + b" ")),
    "a block without a creator": with_element(element(0x0029100C, b"LO", NAME.encode())),
    "a creator who is named": with_element(element(0x00290010, b"LO", PLANTED.encode()) + element(0x0029100C, b"LO", NAME.encode())),
    "no text of its character set": in_character_set(b"ISO_IR 192", f"{NAME}é^{GIVEN}"),
    "a character set that nobody knows": in_character_set(b"ISO_IR 777", f"{NAME}^{GIVEN}"),
    "an escape that leads nowhere": image(1, PatientName=f"{NAME}^X", PatientID=NUMBER).replace(b"^X", b"\x1b^"),
    "no patient": image(1, PatientName="", PatientID="", PatientSex="F"),
    "zeros behind the data set": image(1, PatientName=f"{NAME}^{GIVEN}", PatientID=NUMBER) + bytes(2048),
    "nothing": b"",
    "only a preamble": bytes(128) + b"DICM",
    "a text file": PLANTED.encode() * 100,
}


@pytest.mark.parametrize("profile", ["basic", "research"])
@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_leaves_no_trace_or_is_held(what: str, profile: str, tmp_path: Path) -> None:
    assert_safe(WRONG[what], *checked_answer_of(WRONG[what], shipped_engine(profile), tmp_path))


def assert_safe(given: bytes, answer: Answer, written: bytes) -> None:
    if isinstance(answer, Rewritten):
        named = " ".join((*answer.subject.names, *answer.subject.phrases))  # a description that names a stranger may stay
        tokens = [token for token in (NAME, GIVEN, NUMBER) if token in named] if answer.subject.profile.options else (NAME, GIVEN, NUMBER)
        assert not tokens or leaks(written, *tokens) == []
        assert written != given
    else:
        assert isinstance(answer, (Held, Dropped))
        assert answer.why
        assert leaks(answer.why.encode()) == []


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        (element(0x00190010, b"LO", b"SAFE CREATOR") + element(0x0019100C, b"LO", b"T1"), 1),
        (element(0x00190010, b"LO", b"SAFE CREATOR  ") + element(0x0019100C, b"LO", b"T1"), 1),
        (element(0x00190010, b"LO", b"SAFE CREATOR") * 2 + element(0x0019100C, b"LO", b"T1"), 0),
        (element(0x00190010, b"LO", b"SAFE CREATOR") + element(0x0019110C, b"LO", b"T1"), 0),
        (element(0x00190010, b"LO", b"safe creator") + element(0x0019100C, b"LO", b"T1"), 0),
        (element(0x0019100C, b"LO", b"T1"), 0),
        (element(0x00190010, b"LO", b"OTHER ") + element(0x00190011, b"LO", b"SAFE CREATOR") + element(0x0019100C, b"LO", b"T1"), 0),
        (
            element(0x00190010, b"LO", b"SAFE CREATOR")
            + element(0x00190011, b"LO", b"SAFE CREATOR")
            + element(0x0019100C, b"LO", b"T1")
            + element(0x0019110C, b"LO", b"T2"),
            2,
        ),
    ],
    ids=["plain", "padded", "twice", "of another block", "in lower case", "without", "of the block beside", "with two blocks"],
)
def test_a_private_element_stays_only_behind_its_own_creator(what: bytes, kept: int) -> None:
    made = deidentified(with_element(what, b"\x20\x00\x0d\x00"), engine_of("retain-safe-private", safe_private=SAFE))
    assert len([one for one in made if one.tag.is_private and one.tag.element & 0xFF == 0x0C]) == kept


def test_a_creator_with_a_second_value_is_nobody_whom_the_profile_names() -> None:
    creator = element(0x00190010, b"LO", b"SAFE CREATOR\\" + NAME.encode() + b" ")
    content = with_element(creator + element(0x0019100C, b"LO", b"T1"), b"\x20\x00\x0d\x00")
    made = deidentified(content, engine_of("retain-safe-private", safe_private=SAFE))
    assert not [one for one in made if one.tag.is_private]


@pytest.mark.parametrize(
    ("keyword", "vr"),
    [("Modality", "LT"), ("BodyPartExamined", "UT"), ("PatientPosition", "LO"), ("ImageType", "UC"), ("SmallestImagePixelValue", "OB")],
)
def test_a_text_in_place_of_a_code_or_a_number_does_not_stay(keyword: str, vr: str) -> None:
    made = named(1)
    text = "born 3 Mar 1950, Grandma Schmidt"
    made[keyword] = DataElement(keyword, vr, text.encode() if vr == "OB" else text)
    for engine in (engine_of(), engine_of(*RESEARCH)):
        answer, written = answer_of(encoded(made, EXPLICIT), engine)
        assert isinstance(answer, Rewritten)
        assert b"Schmidt" not in written


def test_a_code_that_is_written_as_a_text_stays_a_code() -> None:
    made = named(1)
    made["BodyPartExamined"] = DataElement("BodyPartExamined", "LO", "BRAIN")
    copy = deidentified(encoded(made, EXPLICIT))["BodyPartExamined"]
    assert (copy.VR, copy.value) == ("CS", "BRAIN")


def test_a_private_element_in_an_item_needs_a_creator_in_the_item() -> None:
    inner = item(element(0x0019100C, b"LO", NAME.encode()))
    content = with_element(element(0x00190010, b"LO", b"SAFE CREATOR") + element(0x00191020, b"SQ", inner), b"\x20\x00\x0d\x00")
    _, written = answer_of(content, engine_of("retain-safe-private", safe_private=SAFE))
    assert leaks(written) == []


def test_one_wrong_file_keeps_back_its_series_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for series in ("1.2.826.7.1", "1.2.826.7.2"):
        for number in (1, 2):
            (folder / f"{series}.{number}").write_bytes(image(number, series=series, PatientID=NUMBER))
    broken = folder / "1.2.826.7.2.2"
    broken.write_bytes(broken.read_bytes()[:-20])
    assert main(["deid", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data")]) == 1
    assert [len(list(place.iterdir())) for place in (tmp_path / "out").iterdir() if place.is_dir()] == [2]


# --- bytes changed at random ----------------------------------------------------------------------------------------------------------


def bases() -> list[bytes]:
    many = [planted_objects(syntax) for syntax in (EXPLICIT, IMPLICIT)]
    chosen = ("free_texts", "private_of_every_vr", "structured_report", "structure_set", "requests_and_people")
    return [made[name] for made in many for name in chosen] + [planted_objects(DEFLATED)["free_texts"], encoded(named(1), EXPLICIT)]


BASES = bases()


@st.composite
def mutated(draw: Callable[..., int]) -> bytes:
    """One of the objects with up to six wounds: a byte changed, some cut out, some doubled, some from elsewhere put in."""
    content = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(128, len(content) - 1))
        size = draw(st.integers(1, 24))
        match draw(st.sampled_from(["byte", "cut", "double", "move", "length"])):
            case "byte":
                content[at] = draw(st.integers(0, 255))
            case "cut":
                del content[at : at + size]
            case "double":
                content[at:at] = content[at : at + size]
            case "move":
                other = draw(st.integers(128, len(content) - 1))
                content[at:at] = content[other : other + size]
            case _:
                content[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(content)


ENGINES = {"basic": shipped_engine("basic"), "research": engine_of(*RESEARCH)}


@pytest.mark.parametrize("profile", ENGINES)
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(content=mutated())
def test_whatever_bytes_come_the_copy_is_clean_or_held(profile: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.getbasetemp()
    assert_safe(content, *checked_answer_of(content, ENGINES[profile], place))
