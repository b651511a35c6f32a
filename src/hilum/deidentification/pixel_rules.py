"""What becomes of an object's pixels, by its header: passed, made dark, held or left out (PS3.15 E.1.1, E.3.1). Nothing looks at them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from hilum.dicom.attributes import UnknownAttributeError, parse_path, vr_of
from hilum.dicom.blanking import IMAGE_ATTRIBUTES, Blanking, Image, Region, outside_of
from hilum.dicom.comparing import Comparable, Kind, comparable, form_of
from hilum.dicom.confidentiality import Option
from hilum.dicom.iods import modules_of
from hilum.dicom.pixels import PixelError
from hilum.dicom.scanner import Header
from hilum.model.errors import InvalidError
from hilum.model.profiles import PixelRule, Profile

# PS3.4 B.5: photographs, scanned and captured pictures, ultrasound; names and dates are usually written into their pixels.
_SHOWING_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame, and its retired form
    "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound, and its retired form
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, single and multi-frame
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Photographic, and its video
)
_SHOWING_MODALITIES = frozenset({"US", "IVUS", "ES", "XC", "DOC", "SC"})
# PS3.3 C.8.12.4.1.1: the label of a slide, and the overview in which it lies, show who its specimen is of.
_SHOWING_TYPES = frozenset({"LABEL", "OVERVIEW"})
_CAPTURED_TYPES = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREEN", "DOSE", "DOSE_INFO", "DOSEINFO", "DOSE REPORT"})
# PS3.4 B.5: what is computed from signals or other images, slice by slice: CT, MR, PET and their enhanced forms, parametric maps,
# segmentations, dose. The option Clean Pixel Data passes no others without a rule.
_COMPUTED_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "128", "130", "30", "66", "481.2"))

_ROWS = 0x00280010  # an object with rows is an image
_REGIONS = "SequenceOfUltrasoundRegions"
_CORNERS = tuple(f"{_REGIONS}[*].RegionLocation{corner}" for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"))

PIXEL_ATTRIBUTES = (*IMAGE_ATTRIBUTES, "BurnedInAnnotation", "SpecimenLabelInImage", "SOPClassUID", "Modality", "ImageType", *_CORNERS)
"""What is asked of a header beside what the rules name."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The pixels stay. `rule`: by which rule, "" where none was needed."""

    rule: str = ""


@dataclass(frozen=True, slots=True)
class Blanked:
    """Regions are made dark."""

    rule: str
    blanking: Blanking


@dataclass(frozen=True, slots=True)
class Kept:
    """They do not go on. `is_held`: a person must look; otherwise they are left out."""

    why: str
    is_held: bool = True


Verdict = Passed | Blanked | Kept


class PixelJudge:
    """Judges by the rules of a profile.

    Raises:
        InvalidError: a rule names what does not exist.
    """

    def __init__(self, profile: Profile) -> None:
        self._rules = [(rule, [_test(rule, path, value) for path, value in rule.where.items()]) for rule in profile.pixels]
        self._is_strict = Option.CLEAN_PIXEL_DATA in profile.options
        self.attributes = (*PIXEL_ATTRIBUTES, *(path for rule in profile.pixels for path in rule.where))

    def judge(self, header: Header) -> Verdict:
        """The first rule that fits, else what kind of image it is.

        Raises:
            PixelError: a rule fits that cannot be followed.
        """
        rules = self._rules if _ROWS in header.item else ()
        rule = next((rule for rule, tests in rules if all(test(header) for test in tests)), None)
        if rule is not None:
            return _follow(rule, header)
        why = _why_held(header) or (_why_not_covered(header) if self._is_strict else "")
        return Kept(f"{why}, and no rule says where.") if why else Passed()


def _follow(rule: PixelRule, header: Header) -> Verdict:
    match rule.action:
        case "blank":
            regions = tuple(Region(*region) for region in rule.blank)
        case "keep_ultrasound_regions":
            regions = _outside_of_ultrasound_regions(header)
        case "clean":
            if _is_burned_in(header) and "BurnedInAnnotation" not in rule.where:
                return Kept(f"Burned In Annotation is YES, and the rule {rule.name} that calls it clean does not name that.")
            return Passed(rule.name)
        case "hold":
            return Kept(f"The rule {rule.name} of the profile holds it.")
        case _:
            return Kept(f"The rule {rule.name} of the profile leaves it out.", is_held=False)
    return Blanked(rule.name, Blanking(regions, frozenset(frame - 1 for frame in rule.frames) or None))


def _outside_of_ultrasound_regions(header: Header) -> tuple[Region, ...]:
    """PS3.3 C.8.5.5.1.1: the corners are pixels of the region, counted from 0."""
    image = Image.of(header)
    corners = zip(*(header.each(path) for path in _CORNERS), strict=True)
    kept = [_region(corner, image) for corner in corners]
    if not kept:
        raise PixelError("It names no ultrasound regions: nobody can say what lies outside of them.")
    outside = outside_of(kept, image.rows, image.columns)
    if not outside:
        raise PixelError("Its ultrasound regions are the whole image: nobody can say where its text stands.")
    return outside


def _region(corners: tuple[Any, ...], image: Image) -> Region:
    try:
        left, top, right, bottom = (int(values[0]) for values in corners)
    except (TypeError, IndexError, ValueError):
        raise PixelError("An ultrasound region of it has no corners.") from None
    if not (0 <= left <= right < image.columns and 0 <= top <= bottom < image.rows):
        raise PixelError("An ultrasound region of it is not within the image.")
    return Region(left, top, right - left + 1, bottom - top + 1)


# --- without a rule -----------------------------------------------------------------------------------------------------------------


def _is_burned_in(header: Header) -> bool:
    return any(str(value).strip().upper() == "YES" for value in header.values("BurnedInAnnotation") or ())


def _why_held(header: Header) -> str:
    """The reason as the beginning of a sentence; "" where the pixels may pass."""
    if _is_burned_in(header):
        return "Burned In Annotation is YES: its pixels show text"
    if _is_of(header, _SHOWING_CLASSES):
        return "Its SOP Class is one whose pixels often show identities"
    if (header.text("Modality") or "").upper() in _SHOWING_MODALITIES:
        return "Its modality is one whose pixels often show identities"
    types = {str(value).strip().upper() for value in header.values("ImageType") or ()}
    if types & _SHOWING_TYPES or (header.text("SpecimenLabelInImage") or "").strip().upper() == "YES":
        return "It shows the label of a slide, whose text names a patient"
    if types & _CAPTURED_TYPES:
        return "It is a captured screen, whose pixels often show identities"
    return ""


def _why_not_covered(header: Header) -> str:
    """PS3.15 E.3.1: who claims that pixels are clean knows it of every image."""
    is_image = any(use.module == "image-pixel" for use in modules_of(header.text("SOPClassUID") or ""))
    if is_image and not _is_of(header, _COMPUTED_CLASSES):
        return "The profile has the option Clean Pixel Data, its SOP Class is one whose pixels may show text"
    return ""


def _is_of(header: Header, classes: tuple[str, ...]) -> bool:
    sop_class = header.text("SOPClassUID") or ""
    return any(sop_class == known or sop_class.startswith(f"{known}.") for known in classes)


# --- conditions ---------------------------------------------------------------------------------------------------------------------


def _test(rule: PixelRule, path: str, wanted: Any) -> Callable[[Header], bool]:
    """Whether one of the values at `path` is one of the wanted ones."""
    try:
        last = parse_path(path)[-1]
    except UnknownAttributeError as error:
        _refuse(rule, f"names {path!r}: {error}")
    form = form_of(vr_of(last.tag, last.creator))
    found = [_folded(comparable(form.kind, value)) for value in (wanted if isinstance(wanted, tuple) else (wanted,))]
    if not found or None in found:
        _refuse(rule, f"wants of {path} what it cannot be. {form.hint}")
    if form.kind is Kind.TEXT and "" in found:
        _refuse(rule, f"wants an empty {path}, which says nothing of an image.")

    def test(header: Header) -> bool:
        return any(_folded(comparable(form.kind, value)) in found for values in header.each(path) for value in values or ())

    return test


def _folded(value: Comparable | None) -> Comparable | None:
    return value.casefold() if isinstance(value, str) else value


def _refuse(rule: PixelRule, trouble: str) -> NoReturn:
    raise InvalidError(f"The rule {rule.name} for pixels {trouble}", "Mend the profile; docs/deidentification.md has examples.")
