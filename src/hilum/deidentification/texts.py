"""Text without what could say who somebody is (PS3.15 E.3.5, Clean Descriptors)."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from datetime import date, timedelta

REMOVED = "[removed]"
_SHORTEST_PHRASE = 3
_SHORTEST_WORD = 2
_SHORTEST_PART = 5  # of a longer word: `doe` in `does` says nobody's name, `jefferson` in `jeffersonmr` does

_WORD = re.compile(r"[^\W_]+")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"\b(?:https?|ftp|file)://\S+|\bwww\.\S+", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[\s./-]?(?:\(?\d{1,5}\)?[\s./-]?){1,6}\d{2,}"  # +49 89 1234567
    r"|\(\d{2,5}\)[\s./-]?\d{2,5}(?:[\s./-]?\d{2,5}){0,3}"  # (089) 1234-567
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}"  # 555-123-4567
    r"|0\d{2,4}[ /-]\d{4,9}(?:[ -]\d{1,4})?)(?![\w.])"  # 089/1234567
)
_NUMBER = re.compile(
    r"(?<![\w.-])(?:\d{3}-\d{2}-\d{4}(?![\w-])"  # a social security number of the United States
    r"|(?i:(?:MRN|SSN|PID|patient id|acc(?:ession)?(?: (?:no|number))?)\b\.?[\s:#]*)(?=[\w-]*\d)[\w-]+)"  # what is called one
)
_AGE = re.compile(r"(?<![\w.])(?:9[1-9]|1[0-2]\d)(?=[\s-]?(?:y\b|yo\b|y/o\b|yrs?\b|years?\b))", re.IGNORECASE)
_PLACE = re.compile(  # 42 Wallaby Way, Sydney; Hauptstraße 12
    r"(?<![\w.])\d{1,5}[a-z]?\s+(?:[A-Z][\w'’-]*\.?\s+){1,3}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Way|Lane|Ln|Drive|Boulevard|Blvd|Court|Square|Place|Terrace|Close)\b\.?(?:,?\s+[A-Z][\w'’-]+)*(?:\s+\d{4,5})?"
    r"|\b[A-ZÄÖÜ]\w*(?:stra(?:ß|ss)e|str\.|weg|gasse|platz)\s+\d{1,4}[a-z]?(?:,?\s+\d{4,5}\s+[A-ZÄÖÜ]\w+)?"
)
# A title tells that a name follows. In capitals only with a full stop: `DR CHEST` is digital radiography, `MR HEAD` a modality.
_TITLED = re.compile(
    r"\b((?:(?:Dr|Prof|Mr|Mrs|Ms|Mme)\.?|(?:DR|PROF|MR|MRS|MS)\.|Professor|Doctor|Miss|Herrn?|Frau|[Ss]ister|[Nn]urse)\s+)"
    r"(?:(?:Dr|Prof|med|DR|PROF)\.\s*)*(?:[A-ZÀ-ÖØ-Þ]\.\s*)*[A-ZÀ-ÖØ-Þ][\w'’-]+(?:\s+[A-ZÀ-ÖØ-Þ][\w'’-]+)?"
)
_UID = re.compile(r"(?<![\w.])[0-2](?:\.(?:0|[1-9]\d*)){5,}(?![\w.])")
_STANDARD_UIDS = "1.2.840.10008."  # PS3.6 A: of the standard itself

# Who has no such letters writes two: Mueller, Soerby.
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"})

_MONTHS = """
january jan february feb march mar april apr may june jun july jul august aug september sept sep october oct november nov december dec
januar februar märz mär mai juni juli oktober okt dezember dez
janvier février févr mars avril avr juin juillet juil août septembre octobre novembre décembre déc
enero ene febrero marzo abril abr mayo junio julio agosto ago septiembre octubre noviembre diciembre dic
"""
_ORDINAL = (
    r"(?:twenty-|thirty-)?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|eleventh|twelfth|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teenth|twentieth|thirtieth"
)
_MONTH = rf"(?:{'|'.join(_MONTHS.split())})(?![^\W\d_])"
_YEAR_FIRST = re.compile(r"(?<![\d.])((?:19|20)\d{2})([-./]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_DAY_FIRST = re.compile(r"(?<![\d.])(0?[1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\.((?:19|20)\d{2})(?!\d)")
_OTHER_DATES = re.compile(
    rf"(?<![\d.])(?:\d{{1,2}}[/-]\d{{1,2}}[/-](?:\d{{4}}|\d{{2}})(?!\d)|\d{{2}}\.\d{{2}}\.\d{{2}}(?![\d.])"
    rf"|\d{{1,2}}\.?[\s-]*{_MONTH}\.?,?[\s-]*(?:\d{{4}}|\d{{2}})(?!\d)|{_MONTH}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}(?!\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{4}})?(?!\d)|\b(?:{_ORDINAL})\s+of\s+{_MONTH}(?:,?\s+\d{{4}})?(?!\d))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What says who somebody is.

    Args:
        words: of names; each alone is enough to be taken out.
        phrases: numbers, addresses, institutions: taken out as a whole.
    """

    words: frozenset[str]
    phrases: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str], phrases: Iterable[str]) -> "Identifiers":
        """From Person Names as stored (PS3.5 6.2.1) and from other texts."""
        spelled = {form for name in names for word in words_of_name(name) for form in (word, word.casefold().translate(_SPELLED_OUT))}
        words = {fold(form) for form in spelled}
        return cls(frozenset(words), frozenset(fold(text) for text in phrases if len(text.strip()) >= _SHORTEST_PHRASE))


def words_of_name(name: str) -> list[str]:
    """Family, given and middle names in all groups; not prefix and suffix: `MR` is a title, and a modality (PS3.5 6.2.1.1)."""
    components = [component for group in name.split("=") for component in group.split("^")[:3]]
    words = [word for component in components for word in _WORD.findall(component)]
    return [word for word in words if len(word) >= _SHORTEST_WORD and not word.isdigit()]


def fold(text: str) -> str:
    """Without regard to case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.strip()).casefold()
    return "".join(character for character in decomposed if not unicodedata.combining(character))


class Cleaner:
    """Takes out of texts what says who somebody is.

    Args:
        days: dates that can be read move by so many; None: dates are taken out; 0: they stay.
        replace_uid: what stands for a UID.
    """

    def __init__(self, identifiers: Identifiers, days: int | None, replace_uid: Callable[[str], str]) -> None:
        self._words = identifiers.words
        self._parts = tuple(word for word in identifiers.words if len(word) >= _SHORTEST_PART or not word.isascii())
        self._phrases = _any_of(identifiers.phrases)
        self._days, self._replace_uid = days, replace_uid

    def clean(self, text: str) -> str:
        """The text without it."""
        if not text or text.isspace():
            return text
        if self._phrases is not None and self._phrases.search(fold(text)):
            text = self._without_phrases(text)
        if any(character.isdigit() for character in text):
            text = _UID.sub(self._new_uid, text)
            text = self._without_dates(text)
            text = _NUMBER.sub(REMOVED, _PHONE.sub(REMOVED, _PLACE.sub(REMOVED, text)))
            text = _AGE.sub("90", text)
        if "@" in text:
            text = _EMAIL.sub(REMOVED, text)
        if "//" in text or "www." in text.casefold():
            text = _URL.sub(REMOVED, text)
        text = _TITLED.sub(rf"\1{REMOVED}", text)
        return _WORD.sub(self._judge_word, text) if self._words else text

    def _without_phrases(self, text: str) -> str:
        """A phrase that only reads the same without accents takes the whole text with it."""
        assert self._phrases is not None  # noqa: S101 - the caller has found one
        if len(fold(text)) != len(text):
            return REMOVED
        cleaned, at = [], 0
        for found in self._phrases.finditer(fold(text)):
            cleaned += [text[at : found.start()], REMOVED]
            at = found.end()
        return "".join(cleaned) + text[at:]

    def _judge_word(self, found: re.Match[str]) -> str:
        word = fold(found[0])
        if word in self._words or any(part in word for part in self._parts):
            return REMOVED
        return found[0]

    def _new_uid(self, found: re.Match[str]) -> str:
        return found[0] if found[0].startswith(_STANDARD_UIDS) else self._replace_uid(found[0])

    def _without_dates(self, text: str) -> str:
        if self._days == 0:
            return text
        text = _YEAR_FIRST.sub(lambda found: self._move((found[1], found[3], found[4]), f"%Y{found[2]}%m{found[2]}%d"), text)
        text = _DAY_FIRST.sub(lambda found: self._move((found[3], found[2], found[1]), "%d.%m.%Y"), text)
        return _OTHER_DATES.sub(REMOVED, text)

    def _move(self, parts: tuple[str, str, str], pattern: str) -> str:
        if self._days is None:
            return REMOVED
        try:
            moved = date(int(parts[0]), int(parts[1]), int(parts[2])) + timedelta(days=self._days)
        except (ValueError, OverflowError):  # no such day
            return REMOVED
        return moved.strftime(pattern)


def _any_of(phrases: Set[str]) -> re.Pattern[str] | None:
    """Each as whole words, longer ones first."""
    if not phrases:
        return None
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")
