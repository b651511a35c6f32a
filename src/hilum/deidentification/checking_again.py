"""The self-check's word on the copies of one run, as answers like the engine's."""

from collections.abc import Iterable, Mapping, Sequence

from hilum.deidentification.engine import Held, Rewritten
from hilum.dicom.attributes import tag_of
from hilum.dicom.confidentiality import Option
from hilum.model.profiles import Profile
from hilum.self_check import Buffer, Needles, Residue, UnreadableError, check_against, needles_of, needles_of_patient, read_values
from hilum.self_check.reading import Value

MOST_RESIDUES = 10  # that a sentence names
_STUDY_INSTANCE_UID = 0x0020000D
_RETAINED: Mapping[Option, tuple[int, ...]] = {
    Option.RETAIN_INSTITUTION_IDENTITY: (0x00080080, 0x00080081),  # Institution Name, Institution Address
    Option.RETAIN_FULL_DATES: (0x00080020,),  # Study Date
}


class SelfCheck:
    """Copies are read again, by code that had no part in making them, and held where something of an original is left.

    What one original says of the patient is looked for in the copies of all objects of its study. Copies that were checked before it came
    are `overtaken`, and wait for `check_later`.
    """

    def __init__(self, profile: Profile) -> None:
        self._retained = retained_by(profile)
        self._stated: dict[str, Needles] = {}  # by Study Instance UID of the originals
        self._checked: dict[int, tuple[Needles, int]] = {}  # those of its study, and how many they were

    def check(self, number: int, original: Buffer, copy: Buffer, answer: Rewritten) -> Rewritten | Held:
        """Judge a copy by its own original, and by those of its study that came before.

        Args:
            number: the caller's name for the copy.
        """
        replaced = [old for old, new in answer.new_uids.values() if old != new]
        try:
            values = list(read_values(original))
            stated = self._take_up(values)
            needles = needles_of(values, replaced, self._retained)
            needles.take_up(stated)
            residues = check_against(needles, copy)
        except UnreadableError as error:
            return Held(f"The self-check cannot read it to its end. {error}")
        if residues:
            return _held_for(residues)
        self._checked[number] = stated, stated.size
        return answer

    def pass_over(self, original: Buffer) -> None:
        """Learn whom an object names of which no copy is made."""
        self._take_up(list(_readable(original)))

    @property
    def overtaken(self) -> list[int]:
        """The copies that were checked against less than the originals of their study have said since."""
        return [number for number, (stated, size) in self._checked.items() if stated.size > size]

    def check_later(self, number: int, copy: Buffer) -> Held | None:
        """Judge an overtaken copy by all that its study's originals say; None where nothing of it is left."""
        residues = check_against(self._checked[number][0], copy)
        return _held_for(residues) if residues else None

    def _take_up(self, values: Sequence[Value]) -> Needles:
        study = next((bytes(value.content).rstrip(b"\0 ") for value in values if value.path == (_STUDY_INSTANCE_UID,)), b"")
        said = needles_of_patient(values, self._retained)
        if not study:  # whose study it is, nobody can say
            return said
        stated = self._stated.setdefault(study.decode("latin-1"), said)
        stated.take_up(said)
        return stated


def _readable(original: Buffer) -> Iterable[Value]:
    try:
        yield from read_values(original)
    except UnreadableError:
        return  # it is held, or left out, for what it is


def _held_for(residues: Sequence[Residue]) -> Held:
    told = " ".join(residue.sentence for residue in residues[:MOST_RESIDUES])
    return Held(f"The self-check found what must not be left: {told}")


def retained_by(profile: Profile) -> frozenset[int]:
    """Attributes whose values a profile keeps on purpose: what it names with `keep`, and what its options retain."""
    by_option = (tag for option in profile.options for tag in _RETAINED.get(option, ()))
    named = (tag_of(override.attribute) for override in profile.overrides if override.action == "keep" and override.attribute)
    return frozenset((*by_option, *named))
