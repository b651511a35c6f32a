"""A volume whose slices are parallel but sheared: the gantry was tilted (PS3.3 C.8.2.1, Gantry/Detector Tilt)."""

from collections.abc import Iterator

from hilum.checks import Subject, place_of
from hilum.dicom.geometry import gantry_tilt
from hilum.model.outcomes import Finding, Severity

kind = "gantry-tilt"
severity = Severity.INFO
meaning = "Each slice is shifted against the one before it: no slice is missing, but the volume is no rectangular box."
mend = "Use a processor that corrects the shear (dcm2niix does), or raise the severity of this check in the template."
for_template = False

LEAST_DEGREES = 0.5  # less is rounding of the positions
LEAST_SLICES = 3


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a volume."""
    for one in subject.series:
        for volume in one.volumes:
            tilt = gantry_tilt(volume) if len(set(volume.positions)) >= LEAST_SLICES else 0.0
            if tilt >= LEAST_DEGREES:
                sentence = f"The slices of {place_of(volume, one.series)} are sheared by {tilt:.1f} degrees."
                yield Finding(kind, severity, sentence, series_id=one.series.id)
