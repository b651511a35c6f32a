"""Long lists come page by page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on: `after` is the `next` of the page before."""

    after: str = ""
    limit: int = 100
