"""Instance Numbers that no image bears, where positions cannot say whether anything is missing."""

from collections.abc import Iterator

from hilum.checks import Subject, keys_of
from hilum.dicom.geometry import Slice, skipped_instance_numbers
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called

kind = "skipped-numbers"
severity = Severity.INFO
meaning = "The images say nothing of their place, and their numbers have holes. Many makers leave numbers out, so this is a hint only."
mend = "Compare the number of images with that at the sender; announce it as an expected count to be sure."
for_template = False

SHOWN = 5


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a series of images without a position."""
    for one in subject.series:
        unplaced = [image for image in one.slices if image.rows and image.image_position is None and (image.number_of_frames or 1) == 1]
        skipped = skipped_instance_numbers(unplaced) if len(unplaced) == len(one.slices) else []
        if skipped:
            named = [str(first) if first == last else f"{first} to {last}" for first, last in skipped]
            told = f"No image of {called(one.series)} bears the numbers"
            sentence = f"{told} {', '.join(named[:SHOWN])}{', ...' if len(named) > SHOWN else ''}."
            statements = tuple(f"{told} {numbers}." for numbers in named)
            yield Finding(kind, severity, sentence, series_id=one.series.id, instances=_beside(unplaced, skipped), statements=statements)


def _beside(images: list[Slice], skipped: list[tuple[int, int]]) -> tuple[str, ...]:
    edges = {number for first, last in skipped for number in (first - 1, last + 1)}
    return keys_of(image for image in images if image.instance_number in edges)
