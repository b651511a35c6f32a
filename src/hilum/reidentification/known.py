"""What is known of the study that results were made of."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from hilum.deidentification.originals import DATE_OFFSET, PATIENT_PSEUDONYM
from hilum.model.crosswalk import Named, Original


@dataclass(frozen=True, slots=True)
class Known:
    """The study of one workitem, as far as its results speak of it.

    Args:
        study_instance_uid: the original one.
        originals: what the pseudonyms in the results stand for, of this study only.
        frames: SOP Instance UID of each original image that the study holds -> its Frame of Reference UID, "" where it has none.
        made: SOP Instance UIDs of the results themselves: they may refer to each other.
        dates_moved: whether the images had their dates moved by the patient's offset.
        made_since: YYYYMMDD; a date from here on is the processor's own and was never moved.
    """

    study_instance_uid: str
    originals: Mapping[str, Original]
    frames: Mapping[str, str]
    made: Set[str]
    dates_moved: bool
    made_since: str

    @property
    def study(self) -> Original | None:
        """The study's record; None where no result names it."""
        records = (one for one in self.originals.values() if one.named is Named.STUDY and one.uid == self.study_instance_uid)
        return next(records, None)

    @property
    def patient_pseudonym(self) -> str:
        """What stands for Patient ID and Patient's Name."""
        return self.study.values[PATIENT_PSEUDONYM] if self.study else ""

    @property
    def days_back(self) -> int:
        """How many days bring a moved date back to its own."""
        return -int(self.study.values[DATE_OFFSET]) if self.study and self.dates_moved else 0

    def original_uid(self, uid: str) -> str:
        """What a UID stands for; itself where it is no pseudonym of the study: new objects have UIDs of their own."""
        found = self.originals.get(uid)
        return found.uid if found is not None and found.uid else uid
