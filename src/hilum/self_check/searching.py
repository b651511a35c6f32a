"""Looking for needles in a copy: a quick look at all its bytes at once, and a judgement value by value where that suspects something."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hilum.self_check.charsets import codecs_of, decode, readings
from hilum.self_check.needles import BIRTH, IDENTIFYING, INSTITUTION, LEAST_WORD, UID, Needles
from hilum.self_check.reading import Value
from hilum.self_check.vocabulary import is_defined_term

_TEXT = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"])
_LEAST_IN = {"DS": 8, "IS": 8, "UI": 6}  # a number of few digits is found among numbers by chance
_LABELS = frozenset(["LO", "SH"])
_MAKERS = frozenset({0x00080070, 0x00081090})  # Manufacturer, Manufacturer's Model Name
_CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080119, 0x00080120, 0x0008010B, 0x0008010F})
"""Code Value, its scheme and their kin (PS3.3 8.8): they mean what the scheme says, whoever has the same name."""

_UID = re.compile(rb"(?<![0-9])[0-9]+(?:\.[0-9]+){2,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}|[A-Za-z0-9+/]{7}=|[A-Za-z0-9+/]{6}==")  # of four characters and more
_UTF16 = ("utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True)
class Hit:
    """Where something is left, and what it is; never what it says."""

    path: tuple[int, ...]
    kind: str


def search(copy: Sequence[Value], needles: Needles) -> list[Hit]:
    """What of `needles` is left in a copy, each place and kind once."""
    suspected = _suspected(copy, needles)
    hits = [*_short_left(copy, needles.short), *_uids_left(copy, needles.uids)]
    if suspected:
        days_are_innocent = frozenset(["DA", "DT"]) if needles.dates_stay else frozenset()
        hits += (hit for value in copy for hit in _words_left(value, suspected) if hit.kind != BIRTH or value.vr not in days_are_innocent)
    return list(dict.fromkeys(hits))


def _suspected(copy: Sequence[Value], needles: Needles) -> dict[str, str]:
    """The words that may be somewhere: a superset, found in all values at once."""
    content = b"\n".join([value.content for value in copy])
    hidden = "\n".join([text for run in _BASE64.findall(content) for text in _decoded(run)]).lower()
    decoded = "" if content.isascii() else "\n".join(_odd_texts(copy)).lower()
    charsets = {codec for charset in {value.charset for value in copy} for codec in codecs_of(charset)}
    content = content.lower()
    return {
        word: kind
        for word, kind in needles.words.items()
        if word in decoded or word in hidden or any(form in content for form in _encodings(word, charsets))
    }


def _odd_texts(copy: Iterable[Value]) -> Iterator[str]:
    for value in copy:
        if value.vr in _TEXT and not bytes(value.content).isascii():
            yield from readings(value)


def _encodings(word: str, charsets: Iterable[str]) -> Iterator[bytes]:
    """As bytes whose ASCII is in lower case; of other letters the case is as people write names."""
    if word.isascii():
        yield word.encode("ascii")
        yield from (word.encode(codec) for codec in _UTF16)
        return
    for spelled in {word, word.upper(), word.title()}:
        form = "".join(character.lower() if character.isascii() else character for character in spelled)
        for codec in {*charsets, "utf-8", "latin-1", *_UTF16}:
            yield form.encode(codec, "ignore") or form.encode("utf-8")


def _short_left(copy: Iterable[Value], short: Mapping[str, str]) -> Iterator[Hit]:
    for value in copy if short else ():
        if value.tag in IDENTIFYING and (kind := short.get(decode(value).lower().strip("\0 "))):
            yield Hit(value.path, kind)


def _words_left(value: Value, suspected: Mapping[str, str]) -> Iterator[Hit]:
    if value.tag in _CODES:
        return
    text, *others = (reading.lower().strip("\0 ") for reading in readings(value))
    forms = [text, *others, *(form.lower() for form in _unwrapped(bytes(value.content)))]
    for word, kind in suspected.items():
        if any(_stands_in(word, form) for form in forms) and not _is_innocent(value, text, word, kind):
            yield Hit(value.path, kind)


def _stands_in(word: str, text: str) -> bool:
    """As a whole word: what stands around it is neither letter nor digit. An underscore parts words in names of files."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (at and text[at - 1].isalnum()) and not (end < len(text) and text[end].isalnum()):
            return True
        at = text.find(word, at + 1)
    return False


def _is_innocent(value: Value, text: str, word: str, kind: str) -> bool:
    """Words of the standard in attributes of the standard, a maker who is the institution, and numbers among numbers.

    A patient called Test does not make Manufacturer `Test Manufacturer` a disclosure; in a comment it may be one.
    """
    if len(word) < _LEAST_IN.get(value.vr, LEAST_WORD):
        return True
    if value.tag >> 16 & 1:
        return False
    if value.vr == "CS":
        return all(is_defined_term(term) for term in text.split("\\") if _stands_in(word, term))
    if value.tag in _MAKERS and kind == INSTITUTION:
        return True
    return value.vr in _LABELS and value.tag not in IDENTIFYING and is_defined_term(word)


def _unwrapped(content: bytes) -> Iterator[str]:
    """What a value may hold in disguise: text in UTF-16, and what base64 stands for."""
    yield from _wide(content)
    for run in _BASE64.findall(content):
        yield from _decoded(run)


def _wide(content: bytes) -> Iterator[str]:
    """Bytes as UTF-16, beginning at an even or an odd one."""
    if b"\0" in content:
        for start in (0, 1):
            whole = content[start : start + (len(content) - start & ~1)]
            for codec in _UTF16:
                yield whole.decode(codec, "replace")


def _decoded(run: bytes) -> Iterator[str]:
    body = run.rstrip(b"=")
    body = body[: len(body) - (len(body) % 4 == 1)]  # six bits are no byte
    try:
        content = base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return
    yield content.decode("latin-1")
    if not content.isascii():
        yield content.decode("utf-8", "replace")
    yield from _wide(content)


def _uids_left(copy: Sequence[Value], uids: frozenset[str]) -> Iterator[Hit]:
    if not uids:
        return
    for value in copy:
        for found in _UID.findall(value.content):
            if found.decode("ascii") in uids:
                yield Hit(value.path, UID)
                break
