"""Several images at one place of one volume, which nothing in their headers tells apart."""

from collections.abc import Iterator

from hilum.checks import Subject
from hilum.dicom.geometry import duplicates, volumes
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called

kind = "duplicate-slices"
severity = Severity.WARNING
for_template = False


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a volume."""
    for one in subject.series:
        for volume in volumes(one.slices):
            repeated = duplicates(volume)
            if repeated:
                instances = tuple(str(image.key) for images in repeated for image in images)
                where = called(one.series) if volume.label == "the series" else f"{volume.label} of {called(one.series)}"
                places = "1 position" if len(repeated) == 1 else f"{len(repeated)} positions"
                sentence = f"At {places} in {where} there is more than one image."
                yield Finding(kind, severity, sentence, series_id=one.series.id, instances=instances)
