"""A result's identity restored: patient and study as their images have them, known pseudonyms turned back, moved dates moved back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.actions import Occurrence, shift_date
from hilum.deidentification.subjects import PATIENT_VALUES, STUDY_VALUES
from hilum.reidentification.known import Known
from hilum.reidentification.walking import DATE_VRS, TEXT_VRS, UID_VR, Place, walk

if TYPE_CHECKING:
    from pydicom import Dataset

_PSEUDONYM = re.compile(r"(?<![A-Z0-9])[A-Z2-7]{16}(?![A-Z0-9])", re.ASCII)  # as `Subject.pseudonym` makes them
_UID = re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}(?![0-9.]*[0-9])", re.ASCII)
# PS3.3 C.7.1.1, C.7.2.1: Type 3, so they are left out where the images had none; the others are Type 2.
_MAY_BE_MISSING = frozenset({"IssuerOfPatientID", "StudyDescription"})
# PS3.15 E.1.2: De-identification Method and its Code Sequence go; Longitudinal Temporal Information Modified would be wrong.
_CLAIMS = ("DeidentificationMethod", "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified")
UTF_8 = "ISO_IR 192"


def mentioned(result: "Dataset") -> Iterator[str]:
    """Everything in it that may be a pseudonym."""
    for place in walk(result):
        if place.vr == UID_VR:
            yield from place.values
        elif place.vr in TEXT_VRS:
            for text in place.values:
                yield from _UID.findall(text)
                yield from _PSEUDONYM.findall(text)


def restore(result: "Dataset", known: Known) -> None:
    """Turn pseudonyms back, at every depth, and then give it patient and study.

    Raises:
        UnicodeError: its own text is none of its character set, and the patient's name cannot be written in that.
    """
    study = known.study
    assert study is not None  # noqa: S101 - `checking.why_it_is_held` was asked before
    _make_writable(result, "".join(study.values.values()))
    restorer = _Restorer(known)
    for place in list(walk(result)):
        restorer.restore(place)
    for keyword in (*PATIENT_VALUES, *STUDY_VALUES):
        _set(result, keyword, study.values[keyword])
    result.StudyInstanceUID = study.uid
    if "PatientIdentityRemoved" in result:
        result.PatientIdentityRemoved = "NO"  # PS3.15 E.1.2
    for keyword in _CLAIMS:
        if keyword in result:
            delattr(result, keyword)


def _set(result: "Dataset", keyword: str, text: str) -> None:
    if text or keyword not in _MAY_BE_MISSING:
        setattr(result, keyword, text)
    elif keyword in result:
        delattr(result, keyword)


def _make_writable(result: "Dataset", texts: str) -> None:
    """Where what is restored has characters that the result's character set may lack, all of it becomes UTF-8."""
    if texts.isascii() or result.get("SpecificCharacterSet") == UTF_8:
        return
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            result.decode()
        except UserWarning as trouble:  # pydicom would put other characters in the place of what it cannot read
            raise UnicodeError("Its text is none of the character set that it names.") from trouble
    result.SpecificCharacterSet = UTF_8


@dataclass(frozen=True, slots=True)
class _DaysBack:
    """What `actions.shift_date` asks of a subject."""

    date_offset_days: int

    def pseudonym(self, text: str) -> str:
        return text

    def replace_uid(self, uid: str) -> str:
        return uid

    def clean(self, text: str) -> str:
        return text


class _Restorer:
    def __init__(self, known: Known) -> None:
        self._known, self._back = known, _DaysBack(known.days_back)
        self._patient = known.patient_pseudonym
        self._values = known.study.values if known.study else {}

    def restore(self, place: Place) -> None:
        """Change one element where it names a pseudonym, or a moved date."""
        before = place.values
        after = [self._restored(place.vr, value) for value in before]
        if after != before:
            place.item[place.tag].value = after if len(after) > 1 else after[0]

    def _restored(self, vr: str, value: str) -> str:
        if vr == UID_VR:
            return self._known.original_uid(value)
        if vr in DATE_VRS:
            return self._date(vr, value)
        if vr == "PN":
            return self._values["PatientName"] if value.strip(" ^=") == self._patient else value
        return _UID.sub(lambda found: self._known.original_uid(found[0]), value.replace(self._patient, self._values["PatientID"]))

    def _date(self, vr: str, value: str) -> str:
        """The processor's own dates are none of the past: the images' dates were moved there, a month or more before they came here."""
        if not self._back.date_offset_days or value[:8] >= self._known.made_since[: len(value)]:
            return value
        moved = shift_date.act(Occurrence(0, vr, value.encode("latin-1"), "", False, None), self._back, shift_date.Settings())
        return value if moved is None else moved.decode("ascii")
