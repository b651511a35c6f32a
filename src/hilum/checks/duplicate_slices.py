"""Several images at one place of one volume, which nothing in their headers tells apart."""

from collections.abc import Iterator

from hilum.checks import Subject, keys_of, place_of
from hilum.dicom.geometry import duplicates
from hilum.model.outcomes import Finding, Severity
from hilum.model.words import count

kind = "duplicate-slices"
severity = Severity.WARNING
meaning = "More than one image lies at the same place, and no echo, b-value, time or other attribute tells them apart."
mend = "Look whether one of them was sent twice under another UID; delete it at the sender, or let the study go on as it is."
for_template = False


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a volume."""
    for one in subject.series:
        for volume in one.volumes:
            repeated = duplicates(volume)
            if repeated:
                instances = keys_of(image for images in repeated for image in images)
                places = count(len(repeated), "position")
                sentence = f"At {places} in {place_of(volume, one.series)} there is more than one image."
                yield Finding(kind, severity, sentence, series_id=one.series.id, instances=instances)
