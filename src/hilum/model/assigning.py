"""Choosing a template for series by hand: from which states it may be done, and what became of each series."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hilum.model.lifecycle import Stage, Status

STUDY_MAY_STAND_AT: Mapping[tuple[Stage, Status], str] = {
    (Stage.MATCHING, Status.HELD): "no template matched, several did, or what matched is held",
    (Stage.MATCHING, Status.FINISHED): "it is through: a series may go to another template, too",
}
"""Before, what it needs is still being found out."""

WORKITEM_MAY_STAND_AT: Mapping[Status, str] = {
    Status.FAILED: "it is tried by another template",
    Status.REFUSED: "its result was rejected",
    Status.CANCELLED: "somebody stopped it",
    Status.FINISHED: "delivered; to the same template and version only with `again`",
}
"""Of every workitem that has the series as input. One that matching held before anything was done is superseded, too."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose.

    Args:
        roles: series id -> its role in the template; "" for none.
        again: also what the same version of the template was done with already.
        refused: series id -> why it cannot be sent, as was found before (its files).
    """

    template: str
    roles: Mapping[str, str]
    again: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of one series; `workitem_id` is empty where it was not sent."""

    series_id: str
    workitem_id: str
    sentence: str
