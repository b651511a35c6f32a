"""A style sheet that stands within its page, and what lets it in: pages that are kept, or shown to who is not signed in, load nothing."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Style:
    """A style sheet.

    Args:
        text: what stands between the tags.
        source: how a Content-Security-Policy names it (CSP Level 3, 2.3.1): the digest of the text between the tags.
    """

    text: Markup
    source: str


@cache
def inlined(name: str) -> Style:
    """A style sheet of `pages/`."""
    text = (resources.files("hilum.web") / "pages" / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Style(Markup(text), f"'sha256-{digest}'")  # noqa: S704 - our own file
