"""Headers that could not be read to their end: the object is damaged, or its structure is outside PS3.5."""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.model.outcomes import Severity

kind = "readable-headers"
severity = Severity.WARNING
meaning = "The header of an image could not be read to its end: what stands behind the damage was not checked."
mend = "Send the image again; if it looks the same, ask the maker of the device that wrote it."


def judge(content: Content) -> Iterator[str]:
    """What the scan met."""
    if content.header.trouble:
        yield content.header.trouble.rstrip(".")
