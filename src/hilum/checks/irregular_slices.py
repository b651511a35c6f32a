"""Slices whose distance differs from the others' of their volume, without a whole slice missing."""

from collections.abc import Iterator

from hilum.checks import Subject, keys_of, place_of
from hilum.dicom.geometry import irregular_spacing, spacing
from hilum.model.outcomes import Finding, Severity
from hilum.model.words import count

kind = "irregular-slices"
severity = Severity.WARNING
meaning = "The slices of one volume are not evenly spaced: tools that take them for a regular grid distort distances and volumes."
mend = "Check the protocol (two ranges in one series, a table that moved); use a processor that resamples, or let it go on as it is."
for_template = False

LEAST = 4  # slices: of fewer nobody can say which distance is the usual one


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a volume; it names the image before each uneven step."""
    for one in subject.series:
        for volume in one.volumes:
            uneven = irregular_spacing(volume) if len(volume.slices) >= LEAST else []
            if uneven:
                usual = spacing(volume) or 0.0
                lowest, highest = min(step for _, step in uneven), max(step for _, step in uneven)
                steps = f"{lowest:.2f} mm" if lowest == highest else f"{lowest:.2f} to {highest:.2f} mm"
                sentence = f"In {place_of(volume, one.series)} {count(len(uneven), 'step')} of {steps} stand among steps of {usual:.2f} mm."
                yield Finding(kind, severity, sentence, series_id=one.series.id, instances=keys_of(image for image, _ in uneven))
