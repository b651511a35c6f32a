"""How a study stands, with all of its workitems, as one badge, one place and one reason. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.records import Study, Workitem
from hilum.model.waiting import Way, held_by, ways_on


@dataclass(frozen=True, slots=True)
class Badge:
    """An icon and a word; `tone` is filled in only where a person is awaited."""

    word: str
    icon: str
    tone: str = ""


BADGES: dict[Status, Badge] = {
    Status.READY: Badge("Ready", "ready"),
    Status.CLAIMED: Badge("Working", "working"),
    Status.DEFERRED: Badge("Waits", "deferred"),
    Status.HELD: Badge("Held", "held", "held"),
    Status.FAILED: Badge("Failed", "failed", "failed"),
    Status.REFUSED: Badge("Refused", "skipped", "refused"),
    Status.FINISHED: Badge("Finished", "finished", "good"),
    Status.CANCELLED: Badge("Cancelled", "skipped"),
}
FOR_REVIEW = Badge("For review", "review", "review")
DELIVERED = Badge("Delivered", "finished", "good")

URGENCY: tuple[Status, ...] = (
    Status.FAILED,  # a person must look, and something of ours is broken
    Status.HELD,  # a person must look
    Status.CLAIMED,
    Status.READY,
    Status.DEFERRED,
    Status.REFUSED,
    Status.FINISHED,
    Status.CANCELLED,
)
"""Of several workitems the most urgent speaks for the study."""

NEEDS_A_PERSON = frozenset({Status.FAILED, Status.HELD})


@dataclass(frozen=True, slots=True)
class Standing:
    """The item that speaks for the study: the study's own, or one of its workitems'."""

    badge: Badge
    item: Item

    @property
    def needs_a_person(self) -> bool:
        return self.item.status in NEEDS_A_PERSON


def badge_of(item: Item) -> Badge:
    """One item's badge."""
    if item.kind is Kind.WORKITEM and item.status is Status.FINISHED:
        return DELIVERED
    if (item.stage, item.status) == (Stage.REVIEWING, Status.HELD):
        return FOR_REVIEW
    return BADGES[item.status]


def standing_of(study: Study, workitems: Sequence[Workitem]) -> Standing:
    """A study that is through with matching stands where its most urgent workitem of the present revision does."""
    spoken_for = [workitem.item for workitem in workitems if workitem.item.status is not Status.CANCELLED]
    speaker = study.item
    if study.item.status is Status.FINISHED and spoken_for:
        speaker = min(spoken_for, key=lambda item: URGENCY.index(item.status))
    return Standing(badge_of(speaker), speaker)


def mends_of(study: Study, workitems: Sequence[Workitem]) -> tuple[Way, ...]:
    """What a person can do about a study that needs one."""
    return ways_on(_acted_on(study, workitems))


def _acted_on(study: Study, workitems: Sequence[Workitem]) -> Item:
    """A study that is held only because of a workitem goes on when that one is let through."""
    holding = held_by(study, workitems)
    return holding[0].item if holding else standing_of(study, workitems).item
