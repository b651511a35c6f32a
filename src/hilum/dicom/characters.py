"""PS3.5 6.1: text in the character sets of DICOM, read and written without a loss, or not at all."""

from hilum.dicom.attributes import python_encodings

_ESCAPE = 0x1B
_PLAIN = {"": "latin-1", "ISO_IR 6": "latin-1", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}


class UndecodableError(ValueError):
    """Nobody can say which characters these bytes are, or these characters have no bytes in the character set."""


def decode_strictly(raw: bytes, character_set: str) -> str:
    """The text without trailing padding, several values still joined by backslashes.

    Without Specific Character Set only ASCII is allowed (PS3.3 C.12.1.1.2); what stands there all the same is read as Latin-1, which
    loses nothing.

    Raises:
        UndecodableError: the character set is unknown, or the bytes are none of it.
    """
    if _ESCAPE not in raw and raw.isascii():
        return raw.decode("ascii").rstrip(" \0")
    codec = _PLAIN.get(character_set)
    try:
        text = raw.decode(codec) if codec and _ESCAPE not in raw else _decode_extended(raw, character_set)
    except (LookupError, ValueError) as error:
        raise UndecodableError("These bytes are no text of their character set.") from error
    if "\ufffd" in text:
        raise UndecodableError("These bytes are no text of their character set.")
    return text.rstrip(" \0")


def encode_strictly(text: str, character_set: str) -> bytes:
    """The bytes of a text.

    Raises:
        UndecodableError: the character set has not all of its characters.
    """
    if text.isascii():
        return text.encode("ascii")
    codec = _PLAIN.get(character_set)
    try:
        return text.encode(codec) if codec else _encode_extended(text, character_set)
    except (LookupError, ValueError) as error:
        raise UndecodableError("The character set has not all of these characters.") from error


def _decode_extended(raw: bytes, character_set: str) -> str:
    """PS3.5 6.1.2.5: code extensions by escape sequences, or one of the single-byte sets of PS3.3 C.12.1.1.2."""
    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    encodings = _encodings(character_set)
    if _ESCAPE not in raw:
        return raw.decode(encodings[0])
    return str(decode_bytes(raw, encodings, TEXT_VR_DELIMS))


def _encode_extended(text: str, character_set: str) -> bytes:
    from pydicom.charset import encode_string

    encodings = _encodings(character_set)
    encoded = bytes(encode_string(text, encodings))
    if _decode_extended(encoded, character_set) != text:
        raise UndecodableError("The character set has not all of these characters.")
    return encoded


def _encodings(character_set: str) -> tuple[str, ...]:
    from pydicom.charset import python_encoding

    terms = [term.strip() for term in character_set.split("\\")]
    if not all(term in python_encoding for term in terms):
        raise LookupError(character_set)
    return python_encodings(character_set)
