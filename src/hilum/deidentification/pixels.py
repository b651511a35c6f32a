"""Whether an object's pixels may pass as they are. Nothing looks at them: what often shows identities is held (PS3.15 E.3.1)."""

from hilum.dicom.scanner import Header

# PS3.4 B.5: photographs, scanned and captured pictures, ultrasound; names and dates are usually written into their pixels.
_SHOWING_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame, and its retired form
    "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound, and its retired form
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, single and multi-frame
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Photographic, and its video
)
_SHOWING_MODALITIES = frozenset({"US", "IVUS", "ES", "XC", "DOC", "SC"})
_SHOWING_TYPES = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREEN", "DOSE", "DOSE_INFO", "DOSEINFO", "DOSE REPORT"})


def why_pixels_are_held(header: Header) -> str:
    """The reason as a sentence; "" where the pixels may pass."""
    if (header.text("BurnedInAnnotation") or "").upper() == "YES":
        return "Burned In Annotation is YES: its pixels show text, and no rule says where."
    sop_class = header.text("SOPClassUID") or ""
    if any(sop_class == known or sop_class.startswith(f"{known}.") for known in _SHOWING_CLASSES):
        return "Its SOP Class is one whose pixels often show identities, and no rule says where."
    if (header.text("Modality") or "").upper() in _SHOWING_MODALITIES:
        return "Its modality is one whose pixels often show identities, and no rule says where."
    if any(str(value).upper() in _SHOWING_TYPES for value in header.values("ImageType") or ()):
        return "It is a captured screen, whose pixels often show identities, and no rule says where."
    return ""
