"""Words that the standard itself uses: a patient called Brain does not make BodyPartExamined BRAIN a disclosure."""

import re
from functools import cache

_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Values of Image Type and other CS attributes that are in no code table, body parts of PS3.16 Annex L that are written as one word, the
# value and relationship types of PS3.3 C.17.3, makers.
_EVERYDAY_WORDS = """
original derived primary secondary axial localizer other mpr mip minip none yes no true false head neck chest abdomen pelvis
breast volume projection image mixed resampled reformatted average norm dynamic static gated scout survey phase magnitude real
imaginary full research clinical production test service quality headneck cspine tspine lspine ctspine tlspine lsspine medical
text num code datetime date time uidref pname composite waveform scoord scoord3d tcoord container table contains has obs context
properties acq inferred selected from concept mod separate continuous complete partial verified unverified begin end segment
systems healthcare philips siemens toshiba hitachi canon agfa kodak fuji hologic varian elekta
"""
_EVERYDAY = frozenset(_EVERYDAY_WORDS.split())


def is_defined_term(term: str) -> bool:
    """Whether every word of a CS value is one of the standard's code tables (PS3.16), or an everyday one."""
    if not term.isascii():  # the standard's terms are ASCII: without its accents, Müller would be what is left of one
        return False
    words = re.findall(r"[a-z]+", term.lower())
    return bool(words) and all(word in _EVERYDAY or word in _concept_words() for word in words)


@cache
def _concept_words() -> frozenset[str]:
    """Words of the keywords of PS3.16's concepts, as pydicom keeps them; read when first needed."""
    from pydicom.sr._concepts_dict import concepts

    return frozenset(word.lower() for scheme in concepts.values() for keyword in scheme for word in _CAMEL.findall(keyword))
