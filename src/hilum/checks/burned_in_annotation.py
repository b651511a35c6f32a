"""Text that may be burned into the pixels: by attribute, by SOP class, by modality, and for captured screens and films.

Burned In Annotation (PS3.3 C.7.6.1) is absent from most images, so what is likely is told by how such images are made.
"""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.headers import Header
from hilum.model.outcomes import Severity

kind = "burned-in-annotation"
severity = Severity.WARNING
meaning = "The pixels may show the patient's name or other text: de-identifying the header does not remove it."
mend = "Look at the images: text must be blacked out before they leave the site; where there is none, accept this finding for the series."

# PS3.4 B.5: SOP classes whose images are captured, scanned or drawn with text as a rule.
RISKY_CLASSES: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.7": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.1": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.2": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.3": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.6": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.6.1": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.3": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.3.1": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1": "a video",
    "1.2.840.10008.5.1.4.1.1.77.1.2.1": "a video",
    "1.2.840.10008.5.1.4.1.1.77.1.4.1": "a video",
    "1.2.840.10008.5.1.4.1.1.104.1": "an encapsulated document",
}
# PS3.3 C.7.3.1.1.1
RISKY_MODALITIES: dict[str, str] = {
    "US": "an ultrasound image",
    "IVUS": "an ultrasound image",
    "ES": "an endoscopic image",
    "OT": "of modality OT",
    "SC": "a secondary capture",
    "HC": "a hard copy",
    "DOC": "a document",
}
# PS3.3 C.8.6.1: Conversion Type; DI and WSD are no captures of a screen.
RISKY_CONVERSIONS: dict[str, str] = {
    "DV": "digitised from video",
    "DF": "digitised from film",
    "SD": "a scanned document",
    "SI": "a scanned image",
}
RISKY_IMAGE_TYPES: dict[str, str] = {"SCREEN SAVE": "a captured screen", "SCREENSHOT": "a captured screen", "DOSE_INFO": "a dose report"}


def judge(content: Content) -> Iterator[str]:
    """At most one trouble: the surest."""
    header = content.header
    said = (header.text("BurnedInAnnotation") or "").strip().upper()
    if said == "YES":
        yield "BurnedInAnnotation says that text is burned in"
    elif said != "NO" and (risk := _risk(header)):
        yield f"it is {risk}, which often has text burned in, and BurnedInAnnotation does not deny it"


def _risk(header: Header) -> str:
    types = [part.strip().upper() for part in (header.text("ImageType") or "").split("\\")]
    risks = (
        *(RISKY_IMAGE_TYPES.get(part, "") for part in types),
        RISKY_CLASSES.get((header.text("SOPClassUID") or "").strip(), ""),
        RISKY_CONVERSIONS.get((header.text("ConversionType") or "").strip(), ""),
        RISKY_MODALITIES.get((header.text("Modality") or "").strip(), ""),
    )
    return next((risk for risk in risks if risk), "")
