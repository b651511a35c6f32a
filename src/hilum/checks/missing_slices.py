"""Slices that are missing from a volume, by geometry (PS3.3 C.7.6.2): position along the normal, spacing, numbering.

Volumes that share a series (echoes, b-values, time points, orientations) are told apart before gaps are judged; the frames of an
enhanced instance are judged like slices (C.7.6.16). The first and the last are missed where somebody announced how many there are.
"""

from collections.abc import Iterator

from hilum.checks import CheckedSeries, Subject, place_of
from hilum.dicom.geometry import Gap, Slice, missing_from
from hilum.model.outcomes import Finding, Severity

kind = "missing-slices"
severity = Severity.ERROR
meaning = "The positions of the images leave a hole of whole slices, or fewer images came than were announced: the volume is not complete."
mend = "Send what is missing, or let it go on as it is."
for_template = False


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a series that misses slices; it names the images beside each hole."""
    for one in subject.series:
        gaps = missing_from(one.volumes, one.expected)
        if gaps:
            told = tuple(f"{_slices(gap)} missing in {place_of(gap.volume, one.series)}." for gap in gaps)
            sentence = " ".join((*told, mend))
            yield Finding(kind, severity, sentence, series_id=one.series.id, instances=_beside(one, gaps), statements=told)


def _beside(one: CheckedSeries, gaps: list[Gap]) -> tuple[str, ...]:
    before = [gap.after for gap in gaps if gap.after is not None]
    following = {id(a): b for volume in one.volumes for a, b in zip(volume.slices, volume.slices[1:], strict=False)}
    pairs: list[Slice | None] = [image for slice_ in before for image in (slice_, following.get(id(slice_)))]
    return tuple(dict.fromkeys(str(image.key) for image in pairs if image is not None))


def _slices(gap: Gap) -> str:
    if not gap.numbers:
        return "1 slice is" if gap.count == 1 else f"{gap.count} slices are"
    if gap.count == 1:
        return f"Slice {gap.numbers[0]} is"
    return f"Slices {_listed(gap.numbers)} are"


def _listed(numbers: tuple[int, ...]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(str(number) for number in numbers[:-1]) + f" and {numbers[-1]}"
