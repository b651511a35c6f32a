"""The pixels of one object on their way: copied, made dark where they stand, or encoded again by a child process; and what then is true.

Whatever cannot be done is a `PixelError`, and the object is held.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from hilum.deidentification.pixel_rules import Blanked, Passed
from hilum.dicom.attributes import tag_of, vr_of
from hilum.dicom.blanking import IMAGE_KEYWORDS, Blanking, Emptying, Image, Written, blank_native, copy_native, declares_overlay
from hilum.dicom.blanking.copying import CODESTREAMS
from hilum.dicom.elements import PixelDataElement, Source
from hilum.dicom.encoding import Encoding
from hilum.dicom.part10 import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, file_meta
from hilum.dicom.pixels import PixelError
from hilum.dicom.rewriting import PixelValue, rewrite
from hilum.dicom.rewriting_rules import Addition, Plan, Rule, leave_out
from hilum.dicom.scanner import Header

_NATIVE = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
_CHUNK = 1 << 20

BURNED_IN_ANNOTATION, PHOTOMETRIC, PLANAR_CONFIGURATION = 0x00280301, 0x00280004, 0x00280006
# PS3.3 C.7.6.3.1.8: they would point elsewhere where frames are encoded again. The icon shows what is made dark.
_GONE_WHEN_BLANKED = frozenset({0x00880200, 0x7FE00001, 0x7FE00002})


@dataclass(frozen=True, slots=True)
class Darkened:
    """Pixel Data encoded again: what describes them, and their value."""

    written: Written
    value: Source


class Darken(Protocol):
    """Makes regions of compressed frames dark where a hostile one does no harm; `runtime.darkening` is one.

    Raises:
        PixelError: it cannot be done.
    """

    def __call__(self, write_image: "WriteImage", blanking: Blanking) -> AbstractContextManager[Darkened]:
        """The new value lasts as long as the context."""


WriteImage = Callable[[Callable[[bytes], object]], None]
"""Writes a Part 10 file of nothing but the image: no name of anybody leaves this process."""


@dataclass(slots=True)
class PixelReport:
    """What was done to the pixels of one object.

    Args:
        rule: the rule of the profile that was followed, "" for none.
        regions, frames: how many were made dark, in how many frames.
        emptied: comments and the like beside the image, in compressed frames.
    """

    rule: str = ""
    action: str = "pass"
    regions: int = 0
    frames: int = 0
    emptied: int = 0
    has_cleared_bits: bool = False


@dataclass(slots=True)
class Treatment:
    """How one object is written.

    Args:
        value: gives the value of Pixel Data; None: it is copied.
        additions: what is true of the image now, by increasing tag; they stand for what the object said.
        left_out: tags.
    """

    transfer_syntax_uid: str
    value: PixelValue | None = None
    additions: tuple[Addition, ...] = ()
    left_out: frozenset[int] = frozenset()
    report: PixelReport = field(default_factory=PixelReport)


@contextmanager
def treated(source: Source, header: Header, encoding: Encoding, verdict: Passed | Blanked, darken: Darken | None) -> Iterator[Treatment]:
    """How an object is to be written.

    Raises:
        PixelError: its pixels cannot be made what the verdict wants.
    """
    syntax = header.recognition.transfer_syntax_uid
    if isinstance(verdict, Passed):
        yield _passed(header, syntax, verdict)
    elif syntax in _NATIVE:
        image = Image.of(header)
        treatment = Treatment(syntax, report=_report(verdict, image))
        treatment.value = lambda of, element: blank_native(of, element, image, verdict.blanking, clears_unused_bits=image.has_overlay)
        yield _said(treatment)
    else:
        with _darkened(source, header, encoding, verdict, darken) as treatment:
            yield treatment


def _passed(header: Header, syntax: str, verdict: Passed) -> Treatment:
    treatment = Treatment(syntax, report=PixelReport(verdict.rule, "clean" if verdict.rule else "pass"))
    most = _most_bytes(header)
    if syntax in _NATIVE and most:
        treatment.value = lambda of, element: copy_native(of, element, most)
    if syntax in CODESTREAMS:
        treatment.value = _emptying(max(int(header.number("NumberOfFrames") or 1), 1), treatment.report)
    if declares_overlay(header):
        image = Image.of(header)
        if syntax in _NATIVE:
            treatment.value = lambda of, element: blank_native(of, element, image, Blanking(), clears_unused_bits=True)
            treatment.report.has_cleared_bits = True
        else:
            _check_overlays(image)
    return _said(treatment) if verdict.rule else treatment


def _most_bytes(header: Header) -> int:
    """The most that the frames of native pixels can have, each rounded up to bytes; 0 where the header does not say it.

    Raises:
        PixelError: it has a Number of Frames that is none.
    """
    if header.text("NumberOfFrames") and header.number("NumberOfFrames") is None:
        raise PixelError("Its Number of Frames is no number: nobody can say where its pixels end.")
    rows, columns, bits = (int(header.number(keyword) or 0) for keyword in ("Rows", "Columns", "BitsAllocated"))
    samples, frames = (max(int(header.number(keyword) or 1), 1) for keyword in ("SamplesPerPixel", "NumberOfFrames"))
    return frames * -(-rows * columns * samples * bits // 8)


def _emptying(frames: int, report: PixelReport) -> PixelValue:
    emptying = Emptying(frames)

    def value(source: Source, pixel_data: PixelDataElement) -> Iterator[bytes]:
        if pixel_data.length is not None:
            raise PixelError("Its pixels are not as its transfer syntax says: compressed frames have no length as a whole.")
        yield from emptying(source, pixel_data)
        report.emptied = emptying.segments

    return value


def _check_overlays(image: Image) -> None:
    if image.has_overlay and not image.has_overlay_data:
        raise PixelError("An overlay lies in unused bits of compressed pixels: it cannot be taken out.")


def _report(verdict: Blanked, image: Image) -> PixelReport:
    named = verdict.blanking.frames or frozenset()
    if any(frame >= image.frames for frame in named):
        raise PixelError(f"The rule {verdict.rule} names frames that the instance has not.")
    frames = verdict.blanking.count(image.frames)
    return PixelReport(verdict.rule, "blank", len(verdict.blanking.regions), frames, has_cleared_bits=image.has_overlay)


@contextmanager
def _darkened(source: Source, header: Header, encoding: Encoding, verdict: Blanked, darken: Darken | None) -> Iterator[Treatment]:
    image, syntax = Image.of(header), header.recognition.transfer_syntax_uid
    _check_overlays(image)
    if darken is None:
        raise PixelError("Its frames are compressed, and nothing here decodes them.")

    def write_image(write: Callable[[bytes], object]) -> None:
        write(file_meta("1.2.840.10008.5.1.4.1.1.7", "2.25.1", syntax, implementation_class_uid="2.25.1"))
        rewrite(source, header.recognition.data_set_offset, encoding, _IMAGE_ALONE, None, write)

    with darken(write_image, verdict.blanking) as made:
        treatment = Treatment(made.written.transfer_syntax_uid, report=_report(verdict, image))
        if made.written.transfer_syntax_uid in CODESTREAMS:
            emptying = _emptying(made.written.frames, treatment.report)
            treatment.value = lambda _, element: emptying(made.value, replace(element, offset=0))
        else:
            treatment.value = lambda *_: _whole(made.value)
        yield _said(treatment, _describing(made.written, image))


def _whole(value: Source) -> Iterator[bytes]:
    at = 0
    while chunk := value.read_at(at, _CHUNK):
        yield chunk
        at += len(chunk)


def _describing(written: Written, image: Image) -> Mapping[int, Addition]:
    """PS3.3 C.7.6.3: how the samples of frames that were converted are to be read."""
    if not written.is_converted or image.samples == 1:
        return {}
    photometric = Addition(PHOTOMETRIC, "CS", written.photometric_interpretation.encode("ascii"))
    return {PHOTOMETRIC: photometric, PLANAR_CONFIGURATION: Addition(PLANAR_CONFIGURATION, "US", b"\0\0")}


def _said(treatment: Treatment, describing: Mapping[int, Addition] | None = None) -> Treatment:
    """What a rule makes true: PS3.15 E.3.1, Burned In Annotation is NO."""
    additions = {**(describing or {}), BURNED_IN_ANNOTATION: Addition(BURNED_IN_ANNOTATION, "CS", b"NO")}
    treatment.additions = tuple(additions[tag] for tag in sorted(additions))
    treatment.left_out = frozenset(additions) | (_GONE_WHEN_BLANKED if treatment.report.action == "blank" else frozenset())
    return treatment


_IMAGE_ALONE = Plan({tag: Rule(vr_of(tag), "keep") for tag in map(tag_of, (*IMAGE_KEYWORDS, "PixelData"))})


class Amended(Plan):
    """A plan, but for some attributes that are written anew or not at all."""

    def __init__(self, plan: Plan, left_out: frozenset[int]) -> None:
        super().__init__({tag: _ANEW[tag] for tag in left_out})
        self._plan, self.has_private_rules = plan, plan.has_private_rules

    def __missing__(self, tag: int) -> Rule:
        return self._plan[tag]

    def private_rule(self, tag: int, creator: str) -> Rule | None:
        """As the plan says."""
        return self._plan.private_rule(tag, creator)


_ANEW = {
    tag: Rule(vr_of(tag), "replace", leave_out, None, "a rule for pixels was followed")
    for tag in (*_GONE_WHEN_BLANKED, BURNED_IN_ANNOTATION, PHOTOMETRIC, PLANAR_CONFIGURATION)
}
