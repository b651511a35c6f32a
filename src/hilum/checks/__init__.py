"""Checks: what is looked at before a study is matched. One file a member.

A member sees the study as the catalogue has it (its file is `checks/single_frame.py`, its kind the same words with hyphens):

    kind = "single-frame"
    severity = Severity.WARNING
    meaning = "A series consists of one image."
    mend = "Send the other images of the series, if there are any."
    for_template = False                      # True: run once for every candidate template, which is `subject.template`

    def check(subject: Subject) -> Iterator[Finding]:
        for one in subject.series:
            if len(one.instances) == 1:
                yield Finding(kind, severity, f"There is a single image in {called(one.series)}.", series_id=one.series.id)

or it judges one instance after the other by its whole header, which is read once for all such members; equal troubles become one
finding a series that names its instances:

    def judge(content: Content) -> Iterator[str]:
        if not content.header.text("PatientID"):
            yield "PatientID is empty"

or every value of these headers, in sequences too, which is asked once for values that repeat from image to image:

    def judge_value(value: Leaf) -> str:
        return f"{value.path} is longer than anybody reads" if value.content and len(value.content) > 500 else ""

`meaning` and `mend` are sentences for every finding of the check; a finding's own sentence says what is wrong in this study. A
template may give a check another severity. A file whose name begins with an underscore is no member.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hilum.dicom.geometry import Slice, Volume, frames_of, slice_from, volumes
from hilum.dicom.headers import Header
from hilum.model.judging import Operators
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Instance, Series, SetAsideMember, Study
from hilum.model.roles import called
from hilum.model.templates import Template

HeaderReader = Callable[[StoredBytes], Header]
"""Reads the whole header of an instance without bulk values; where it cannot be read the header's `trouble` says why."""


@dataclass(frozen=True)
class Decoded:
    """What became of decoding some instances, by SOP Instance UID.

    Args:
        failed: the sentence of what failed.
        unread: the sentence of why nothing here reads its encoding.
        left: those for which the time did not suffice.
    """

    failed: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()


PixelDecoder = Callable[[Sequence[Instance]], Decoded]
"""Decodes every frame of some instances, elsewhere and within limits."""


@dataclass(frozen=True)
class Answer:
    """What a program said of an instance.

    Args:
        words: what it wrote, the last 8 KiB of it; it may quote values.
        trouble: why it could not say anything, as a sentence.
    """

    words: str = ""
    exit_status: int = 0
    trouble: str = ""


ToolRunner = Callable[[Sequence[str], Instance], Answer | None]
"""Runs a command on the file of an instance, elsewhere and within limits; None where the site's `check_tools` does not name it."""


@dataclass(frozen=True)
class Content:
    """One instance by its whole header."""

    series: Series
    instance: Instance
    header: Header


@dataclass(frozen=True)
class CheckedSeries:
    """A series with its instances.

    Args:
        expected: how many instances somebody who knows has announced; None where nobody has.
        headers: reads the header of a multi-frame instance, whose frames have positions of their own.
        compressed: the SOP Instance UIDs of those whose Pixel Data is encapsulated (PS3.5 A.4).
    """

    series: Series
    instances: tuple[Instance, ...]
    expected: int | None = None
    headers: HeaderReader | None = None
    compressed: frozenset[str] = frozenset()

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """What geometry needs of each instance; the key is its SOP Instance UID."""
        return tuple(slice_from(instance.attributes, instance.sop_instance_uid) for instance in self.instances)

    @cached_property
    def volumes(self) -> tuple[Volume, ...]:
        """The volumes of the series: of its single images, and of each enhanced multi-frame instance."""
        pairs = zip(self.instances, self.slices, strict=True)
        of_frames = {image.key: frames for instance, image in pairs if (frames := self._frames(instance, image))}
        found = volumes(image for image in self.slices if image.key not in of_frames)
        for number, frames in enumerate(of_frames.values(), 1):
            inner = volumes(frames)
            found += inner if len(of_frames) == 1 else [_within(volume, f"multi-frame image {number}") for volume in inner]
        return tuple(found)

    def _frames(self, instance: Instance, image: Slice) -> list[Slice]:
        if (image.number_of_frames or 1) < 2 or self.headers is None:
            return []
        return frames_of(self.headers(instance.stored), instance.sop_instance_uid)


def place_of(volume: Volume | str, series: Series) -> str:
    """A volume, or its label, as a person calls it: `echo 2 of series 3 "PD T2"`."""
    label = volume if isinstance(volume, str) else volume.label
    return called(series) if label == "the series" else f"{label} of {called(series)}"


def keys_of(slices: Iterable[Slice]) -> tuple[str, ...]:
    """The SOP Instance UIDs of slices, each once."""
    return tuple(dict.fromkeys(str(image.key) for image in slices))


def _within(volume: Volume, name: str) -> Volume:
    return replace(volume, label=name if volume.label == "the series" else f"{volume.label} of {name}")


@dataclass(frozen=True)
class Subject:
    """What a check sees.

    Args:
        conflicts: what arrived for this study and clashes with what it holds.
        template: the candidate template; None for checks that need none.
        operators: for rules.
        expected: UID of the study or of a series -> how many instances it should have, as somebody who knows has announced.
        decode: decodes pixels.
        ask: asks a program for its opinion.
    """

    study: Study
    series: tuple[CheckedSeries, ...]
    conflicts: tuple[SetAsideMember, ...]
    operators: Operators
    template: Template | None = None
    expected: Mapping[str, int] = field(default_factory=dict)
    decode: PixelDecoder | None = None
    ask: ToolRunner | None = None
