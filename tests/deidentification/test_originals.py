"""What pseudonyms stand for, gathered from the engine's answers."""

from deidentifying import KEY, RESEARCH, answer_of, deidentified, engine_of

from hilum.deidentification.engine import Engine, Rewritten
from hilum.deidentification.originals import DATE_OFFSET, PATIENT_PSEUDONYM, Originals
from hilum.model.crosswalk import Named, Original, Sealer, digest_of, open_row
from images import image

STUDY_ID = "0b9d9d3e-0000-4000-8000-000000000001"


def originals_of(engine: Engine, *files: bytes) -> dict[str, Original]:
    """By pseudonym, as the crosswalk opens them."""
    gathered = Originals()
    for content in files:
        answer, _ = answer_of(content, engine)
        assert isinstance(answer, Rewritten)
        gathered.add(answer)
    rows = {row.digest: row for row in gathered.seal(Sealer(KEY, "ward", STUDY_ID))}
    return {pseudonym: open_row([KEY], "ward", pseudonym, rows[digest_of(pseudonym)]) for pseudonym in gathered.pseudonyms}


SAID = {
    "PatientName": "Plantée^Zoë",
    "SpecificCharacterSet": "ISO_IR 192",
    "StudyDate": "20200304",
    "AccessionNumber": "A7",
    "StudyID": "S1",
}


def test_every_uid_that_was_replaced_is_known_with_its_original() -> None:
    files = [image(number, FrameOfReferenceUID="1.2.3.4", SynchronizationFrameOfReferenceUID="1.2.3.5", **SAID) for number in (1, 2)]
    found = originals_of(engine_of(*RESEARCH), *files)
    copies = [deidentified(content, engine_of(*RESEARCH)) for content in files]
    assert {found[copy.SOPInstanceUID].named for copy in copies} == {Named.INSTANCE}
    assert found[copies[0].SOPInstanceUID].uid != found[copies[1].SOPInstanceUID].uid
    assert found[copies[0].FrameOfReferenceUID] == Original(Named.FRAME_OF_REFERENCE, copies[0].FrameOfReferenceUID, "1.2.3.4")
    assert found[copies[0].SynchronizationFrameOfReferenceUID].uid == "1.2.3.5"
    assert found[copies[0].SeriesInstanceUID].named is Named.SERIES


def test_the_study_knows_its_values_and_whose_it_is_whatever_the_profile() -> None:
    for options in ((), RESEARCH, ("retain-full-dates",), ("retain-uids",)):
        engine = engine_of(*options)
        copy = deidentified(image(1, **SAID), engine)
        study = originals_of(engine_of(*options), image(1, **SAID))[copy.StudyInstanceUID]
        assert study.named is Named.STUDY
        assert {keyword: study.values[keyword] for keyword in ("PatientName", "StudyDate", "AccessionNumber", "StudyID")} == {
            keyword: SAID[keyword] for keyword in ("PatientName", "StudyDate", "AccessionNumber", "StudyID")
        }
        assert study.values[PATIENT_PSEUDONYM] == copy.PatientID
        assert -3679 <= int(study.values[DATE_OFFSET]) <= -30


def test_what_an_engine_remembers_of_earlier_objects_is_not_lost() -> None:
    """The second object's answer has only what is new in it; both together have all."""
    found = originals_of(engine_of(), *(image(number, FrameOfReferenceUID="1.2.3.4", **SAID) for number in (1, 2, 3)))
    assert sorted(one.named.name for one in found.values()) == [
        "FRAME_OF_REFERENCE",
        *["INSTANCE"] * 3,
        "PATIENT",
        "SERIES",
        "STUDY",
    ]
