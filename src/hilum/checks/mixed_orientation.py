"""A series whose images are not all parallel, though it is no localiser."""

import re
from collections.abc import Iterator

from hilum.checks import CheckedSeries, Subject, keys_of
from hilum.dicom.geometry import orientations
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called

kind = "mixed-orientation"
severity = Severity.WARNING
meaning = "The images of one series lie in planes that are not parallel, so they are no single volume."
mend = "Send the orientations as series of their own, or choose a template whose processor takes several."
for_template = False

LEAST = 3  # images of the largest group: less is no volume but projections from several sides, or single pictures

# PS3.3 C.7.6.1.1.2, C.8.2.1.1.1: LOCALIZER is a value of Image Type; makers without it name the series so.
_LOCALIZER_NAMES = re.compile(r"\b(loc|locali[sz]er|scout|pilot|survey|topogram|scanogram|surview|3.?plane)", re.IGNORECASE)


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a series; it names the images outside the largest group of parallel ones."""
    for one in subject.series:
        groups = sorted(orientations(one.slices), key=len, reverse=True)
        if len(groups) > 1 and len(groups[0]) >= LEAST and not _is_localizer(one):
            others = [image for group in groups[1:] for image in group]
            sizes = ", ".join(str(len(group)) for group in groups[:6]) + (", ..." if len(groups) > 6 else "")
            sentence = f"The images of {called(one.series)} lie in {len(groups)} orientations ({sizes} images)."
            yield Finding(kind, severity, sentence, series_id=one.series.id, instances=keys_of(others))


def _is_localizer(one: CheckedSeries) -> bool:
    named = any("LOCALIZER" in image.image_type for image in one.slices)
    texts = (one.series.description, str(one.series.attributes.get("ProtocolName", "")))
    return named or any(_LOCALIZER_NAMES.search(text) for text in texts)
