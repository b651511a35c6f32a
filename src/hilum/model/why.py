"""Where a study stands, since when, what it waits for, and how it came there: composed once, so that every face says the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.records import Move, Study, Workitem
from hilum.model.waiting import held_by, tell_ways


@dataclass(frozen=True, slots=True)
class Standing:
    """One item in words.

    Args:
        sentence: where it stands and why.
        waits_for: what makes it go on; empty when nothing will.
    """

    item: Item
    called: str
    sentence: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class Why:
    """The answer of `hilum why`.

    Args:
        sentences: for a person, in reading order: the study, then its open workitems.
        standings: the study and all of its workitems, the study first.
        moves: every move of study and workitems, oldest first.
    """

    sentences: tuple[str, ...]
    standings: tuple[Standing, ...]
    moves: tuple[Move, ...]


# What an item waits for, by its status; {until} and {ways} are filled in.
WAITS_FOR: Mapping[Status, str] = {
    Status.READY: "a free worker.",
    Status.CLAIMED: "the worker that is busy with it.",
    Status.DEFERRED: "the time {until}, when it is tried again.",
    Status.HELD: "a person, who can {ways}.",
    Status.FAILED: "a person, who can {ways}.",
    Status.REFUSED: "",
    Status.FINISHED: "",
    Status.CANCELLED: "",
}
_ITS_WORKITEMS = "its workitems, which are held: it goes on when one of them does."
_REVIEWER = "a reviewer, who can {ways}."


def explain_standing(study: Study, workitems: Sequence[Workitem], moves: Sequence[Move]) -> Why:
    """Compose the answer; `moves` are those of the study and its workitems."""
    first = _standing(study.item, f"The study, revision {study.revision},")
    if held_by(study, workitems):
        first = replace(first, waits_for=_ITS_WORKITEMS)
    others = [_standing(one.item, f"Its workitem {one.template} (version {one.template_version})") for one in workitems]
    telling = [one for one in others if one.item.status is not Status.CANCELLED] or others[-1:]
    sentences = [text for one in (first, *telling) for text in (one.sentence, _waiting(one)) if text]
    return Why(tuple(sentences), (first, *others), tuple(moves))


def _standing(item: Item, called: str) -> Standing:
    is_judged = (item.stage, item.status) == (Stage.REVIEWING, Status.HELD)
    waits_for = _REVIEWER if is_judged else WAITS_FOR[item.status]
    until = "" if item.not_before_at is None else shown_time(item.not_before_at)
    sentence = f"{called} {_place(item)} since {shown_time(item.since_at)}: {item.why}"
    return Standing(item, called, sentence, waits_for.format(until=until, ways=tell_ways(item)))


def _place(item: Item) -> str:
    if item.status is Status.FINISHED:
        return "is delivered" if item.kind is Kind.WORKITEM else "is through"
    return f"is {item.status} at {item.stage}"


def _waiting(one: Standing) -> str:
    return f"It waits for {one.waits_for}" if one.waits_for else ""


def shown_time(at: datetime) -> str:
    """A moment as a person reads it, in UTC to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
