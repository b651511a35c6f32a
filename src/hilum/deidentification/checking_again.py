"""The self-check's word on one copy, as an answer like the engine's."""

from collections.abc import Mapping

from hilum.deidentification.engine import Held, Rewritten
from hilum.dicom.attributes import tag_of
from hilum.dicom.confidentiality import Option
from hilum.model.profiles import Profile
from hilum.self_check import Buffer, UnreadableError, check_copy

MOST_RESIDUES = 10  # that a sentence names
_RETAINED: Mapping[Option, tuple[int, ...]] = {
    Option.RETAIN_INSTITUTION_IDENTITY: (0x00080080, 0x00080081),  # Institution Name, Institution Address
    Option.RETAIN_FULL_DATES: (0x00080020,),  # Study Date
}


def check_again(original: Buffer, copy: Buffer, answer: Rewritten, profile: Profile) -> Rewritten | Held:
    """Read a copy again, by code that had no part in making it, and hold it where something of its original is left."""
    replaced = [old for old, new in answer.new_uids.values() if old != new]
    try:
        residues = check_copy(original, copy, replaced, retained_by(profile))
    except UnreadableError as error:
        return Held(f"The self-check cannot read it to its end. {error}")
    if not residues:
        return answer
    told = " ".join(residue.sentence for residue in residues[:MOST_RESIDUES])
    return Held(f"The self-check found what must not be left: {told}")


def retained_by(profile: Profile) -> frozenset[int]:
    """Attributes whose values a profile keeps on purpose: what it names with `keep`, and what its options retain."""
    by_option = (tag for option in profile.options for tag in _RETAINED.get(option, ()))
    named = (tag_of(override.attribute) for override in profile.overrides if override.action == "keep" and override.attribute)
    return frozenset((*by_option, *named))
