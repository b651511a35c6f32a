"""Images of one volume that differ in matrix, pixel spacing or slice thickness."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator

from hilum.checks import Subject, keys_of, place_of
from hilum.dicom.geometry import Slice, Volume
from hilum.model.outcomes import Finding, Severity

kind = "mixed-spacing"
severity = Severity.WARNING
meaning = "Images that belong to one volume have different sizes: they cannot be stacked without resampling."
mend = "Check whether images of another acquisition came into the series; send them as a series of their own."
for_template = False

# PS3.5 6.2: a DS is rounded to its 16 characters by each writer: a hundredth of a millimetre is no difference.
_ALIKE: tuple[tuple[str, Callable[[Slice], Hashable]], ...] = (
    ("matrix", lambda image: (image.columns, image.rows)),
    ("pixel spacing", lambda image: image.pixel_spacing and tuple(round(spacing, 2) for spacing in image.pixel_spacing)),
    ("slice thickness", lambda image: image.slice_thickness and round(image.slice_thickness, 2)),
)


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a volume and quantity; it names the images that differ from the most frequent value."""
    for one in subject.series:
        for volume in one.volumes:
            for quantity, value_of in _ALIKE:
                odd = _odd(volume, value_of)
                if odd:
                    sentence = f"In {place_of(volume, one.series)} {len(odd)} of {len(volume.slices)} images have another {quantity}."
                    yield Finding(kind, severity, sentence, series_id=one.series.id, instances=keys_of(odd))


def _odd(volume: Volume, value_of: Callable[[Slice], Hashable]) -> list[Slice]:
    if volume.unjudged:
        return []
    counts = Counter(value_of(image) for image in volume.slices)
    usual = counts.most_common(1)[0][0]
    return [image for image in volume.slices if value_of(image) != usual]
