"""The same patient, study, series, instance and frame of reference stay the same: over objects, orders, runs, kinds of object."""

import random
import re
from pathlib import Path

import pytest
from deidentifying import KEY, answer_of, deidentified, encoded, engine_of, read, shipped_engine
from unharmed import real_files, uid_pairs, values_of

from hilum.deidentification.engine import Rewritten
from hilum.dicom.uids import is_valid_uid, remap_uid
from images import image

_DERIVED = re.compile(r"2\.25\.[1-9][0-9]{30,38}", re.ASCII)


def test_a_million_uids_have_a_million_valid_others() -> None:
    made = {remap_uid(b"a key of 16 bytes", f"1.2.840.113619.{number}") for number in range(1_000_000)}
    assert len(made) == 1_000_000
    assert all(_DERIVED.fullmatch(uid) for uid in list(made)[::100])
    assert max(map(len, made)) <= 64


@pytest.mark.parametrize("odd", ["1.2.3.", "1.02.3", "x", "1" * 200, "1.2.3\0", "é"])
def test_whatever_stands_for_a_uid_gets_a_valid_one(odd: str) -> None:
    assert is_valid_uid(remap_uid(bytes(16), odd))


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_copies_hang_on_nothing_but_their_originals_and_the_key(profile: str, shared_data: Path) -> None:
    """Other objects before, another order, another engine: the same bytes."""
    files = [files[0] for folder, files in real_files(shared_data).items() if str(shared_data) in folder]
    contents = [file.read_bytes() for file in files] + [image(n, PatientName="Doe^Jane", StudyDate="20200102") for n in range(4)]
    first = [answer_of(content, engine) for engine in [shipped_engine(profile)] for content in contents]
    order = list(range(len(contents)))
    random.Random(7).shuffle(order)
    engine = shipped_engine(profile)
    again = {number: answer_of(contents[number], engine) for number in order}
    assert [written for _, written in first] == [again[number][1] for number in range(len(contents))]
    assert sum(isinstance(answer, Rewritten) for answer, _ in first) > 20


@pytest.mark.parametrize("folder", ["segmentations_dcmqi", "segmentations_highdicom"])
def test_references_within_a_set_resolve_after_as_they_did_before(folder: str, shared_data: Path) -> None:
    engine = shipped_engine("research")
    files = [file for path, files in real_files(shared_data).items() if folder in path for file in files]
    pairs = [(read(file.read_bytes()), answer_of(file.read_bytes(), engine)) for file in files]
    copies = [(before, read(written)) for before, (answer, written) in pairs if isinstance(answer, Rewritten)]
    new = {str(before.SOPInstanceUID): str(after.SOPInstanceUID) for before, after in copies}
    resolved = 0
    for before, after in copies:
        for _, old, copied in uid_pairs(before, after):
            if old in new:
                assert copied == new[old]
                resolved += 1
    assert resolved > len(copies)


def test_every_uid_of_a_copy_is_valid(shared_data: Path) -> None:
    engine = shipped_engine("basic")
    for folder, files in real_files(shared_data).items():
        answer, written = answer_of(files[0].read_bytes(), engine)
        if isinstance(answer, Rewritten) and str(shared_data) in folder:
            values = values_of(read(written)).items()
            uids = [str(value) for path, value in values if path[-1].endswith("UID") and value and isinstance(value, str)]
            assert all(map(is_valid_uid, uids)), folder


def test_dates_in_attributes_items_and_texts_move_alike_and_times_stay_or_are_zeroed() -> None:
    options = ("retain-modified-dates", "clean-descriptors")
    given = read(
        image(1, StudyDate="20200312", StudyTime="101112", AcquisitionDateTime="20200312101112.5", SeriesDescription="of 2020-03-12")
    )
    for times, study_time, date_time in (("keep", "101112", "101112.5"), ("zero", "000000", "000000")):
        made = deidentified(encoded(given, "1.2.840.10008.1.2.1"), engine_of(*options, times=times))
        moved = made.StudyDate
        assert moved != "20200312"
        assert (made.StudyTime, made.AcquisitionDateTime) == (study_time, moved + date_time)
        assert made.SeriesDescription == f"of {moved[:4]}-{moved[4:6]}-{moved[6:]}"


def test_the_same_id_of_two_issuers_is_two_patients() -> None:
    one, other = (deidentified(image(1, IssuerOfPatientID=issuer)) for issuer in ("A", "B"))
    assert one.PatientID != other.PatientID
    assert deidentified(image(2, IssuerOfPatientID="A")).PatientID == one.PatientID


def test_pseudonyms_of_a_key_are_what_they_were() -> None:
    """A change of how they are made would give every patient a second one."""
    made = deidentified(image(1), engine_of(key=KEY))
    assert made.PatientID == "M4SIISGDTJ2GPE2T"
    assert made.StudyInstanceUID == "2.25.99905532015108468679028972496420546485"
