"""What senders and PACS announce, and what a project accepts as a proof that a study is complete."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

EXPECTED_COUNTS = "expected_counts"
"""In the metadata of an upload: UID of a study or series -> how many instances it has at the sender's."""


@dataclass(frozen=True, slots=True)
class GatheringPolicy:
    """A project's.

    Args:
        quiet_seconds: how long a study must be quiet, where nothing else proves that it is complete.
        proofs: the kinds it accepts; None for those that are accepted by default.
    """

    quiet_seconds: float
    proofs: Collection[str] | None = None


def expected_counts_of(metadata: Mapping[str, Any]) -> dict[str, int]:
    """What the metadata announces; what is no count is not there."""
    announced = metadata.get(EXPECTED_COUNTS)
    if not isinstance(announced, Mapping):
        return {}
    return {str(uid): number for uid, number in announced.items() if type(number) is int and number >= 0}


def merged_counts(announced: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Of several announcements the latest counts."""
    return {uid: number for one in announced for uid, number in one.items()}
