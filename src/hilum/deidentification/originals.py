"""What the pseudonyms of one study stand for, gathered while its objects are de-identified, and sealed for the crosswalk."""

from hilum.deidentification.engine import Rewritten
from hilum.deidentification.subjects import PATIENT_VALUES
from hilum.model.crosswalk import Named, Original, SealedRow, Sealer

DATE_OFFSET, PATIENT_PSEUDONYM = "date_offset_days", "patient_pseudonym"
"""Among a study's values: the patient's offset of dates where dates are modified, and what stands for Patient ID and Patient's Name."""

_NAMED = {
    "study": Named.STUDY,
    "series": Named.SERIES,
    "instance": Named.INSTANCE,
    "frame of reference": Named.FRAME_OF_REFERENCE,
}


class Originals:
    """The originals of one study, each once.

    originals = Originals()
    originals.add(answer)               # of each object
    originals.seal(Sealer(key, project, study_id))
    """

    def __init__(self) -> None:
        self._known: dict[str, Original] = {}

    @property
    def pseudonyms(self) -> list[str]:
        """What is known so far."""
        return list(self._known)

    def add(self, answer: Rewritten) -> None:
        """What one object's answer tells."""
        for new, old in answer.replaced_uids.items():
            self._known.setdefault(new, Original(Named.OTHER, new, old))
        for name, (old, new) in answer.new_uids.items():
            if name != "study" and new != old:
                self._known[new] = Original(_NAMED[name], new, old)
        self._add_records(answer)

    def _add_records(self, answer: Rewritten) -> None:
        """The first object speaks for its study and its patient."""
        subject = answer.subject
        old, new = answer.new_uids.get("study", ("", ""))
        known = self._known.get(new)
        if known is not None and known.named is Named.STUDY:
            return
        patient = {keyword: subject.originals.get(keyword, "") for keyword in PATIENT_VALUES}
        more = {DATE_OFFSET: str(subject.patients_offset_days), PATIENT_PSEUDONYM: subject.patient_pseudonym}
        self._known[new] = Original(Named.STUDY, new, old, {**subject.originals, **more})
        self._known[subject.patient_pseudonym] = Original(Named.PATIENT, subject.patient_pseudonym, values=patient)

    def seal(self, sealer: Sealer) -> tuple[SealedRow, ...]:
        """The rows for the ledger."""
        return tuple(sealer.seal(original) for original in self._known.values())
