"""From door to delivery: the moves of an item told as entries, one a move, with every wait as an entry of its own. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.records import Move

TOLD_FROM = timedelta(seconds=1)
"""A shorter wait for a worker, or a shorter try that only led to a wait, is not told: the next entry says all there is to say."""


class EntryKind(StrEnum):
    """What an entry is, and so how it is drawn."""

    ARRIVED = "arrived"  # it came into being here
    RECEIVED = "received"  # the sender sent
    DONE = "done"  # a stage did its work
    WORKING = "working"  # a stage is at work now
    WAITED = "waited"  # a wait that is over, or goes on by itself
    PERSON = "person"  # it waits, or waited, for a person
    DECIDED = "decided"  # a person, or a newer arrival, moved it
    FAILED = "failed"
    REFUSED = "refused"


ENDS_BADLY = {"fail": EntryKind.FAILED, "refuse": EntryKind.REFUSED}
DECIDED_VERBS = {
    "retry": "let go on",
    "accept": "accepted",
    "reject": "rejected",
    "release": "released",
    "send-back": "sent back",
    "cancel": "cancelled",
    "reopen": "reopened",
    "supersede": "superseded",
}
"""Moves that no work made, but a person or what arrived later, as they are told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline.

    Args:
        ended_at: None while it goes on.
    """

    kind: EntryKind
    stage: str
    at: datetime
    ended_at: datetime | None
    sentence: str

    @property
    def is_wait(self) -> bool:
        return self.kind in (EntryKind.WAITED, EntryKind.PERSON)

    def took(self, now: datetime) -> timedelta:
        return max(timedelta(), (self.ended_at or now) - self.at)


def tell(moves: Sequence[Move], now: datetime) -> list[Entry]:
    """The entries of one item, from all of its moves, oldest first."""
    following: Iterator[tuple[Move, Move | None]] = iter([*pairwise(moves), *((move, None) for move in moves[-1:])])
    return [entry for move, after in following for entry in _entries(move, after, now)]


def told_below(trunk: Iterable[Entry], branches: Iterable[Sequence[Entry]]) -> list[Entry]:
    """The trunk without the waits that a branch tells too: a study that is, or was, held only because its workitems are."""
    waits = {entry.sentence for entries in branches for entry in entries if entry.kind is EntryKind.PERSON}
    return [_pointing_down(entry) if _is_told_in(waits, entry) else entry for entry in trunk]


def _is_told_in(waits: set[str], entry: Entry) -> bool:
    return entry.kind is EntryKind.PERSON and entry.sentence in waits


def _pointing_down(entry: Entry) -> Entry:
    sentence = "No workitem can go on before a person has looked."
    if entry.ended_at is not None:
        sentence = "No workitem could go on before a person had looked, or more had come."
    return Entry(EntryKind.DONE, entry.stage, entry.at, entry.at, sentence)


def _entries(move: Move, after: Move | None, now: datetime) -> Iterator[Entry]:
    """What a move says by itself, then the time until the move after it."""
    if move.verb == "create" and move.kind is Kind.STUDY:
        yield Entry(EntryKind.ARRIVED, str(Stage.IMPORTING), move.at, move.at, move.why)
    if move.verb in DECIDED_VERBS:
        yield Entry(EntryKind.DECIDED, DECIDED_VERBS[move.verb], move.at, move.at, move.why)
    entry = _meantime(move, after)
    if entry is not None and _is_told(entry, move, after, now):
        yield entry


def _meantime(move: Move, after: Move | None) -> Entry | None:
    """The time that an item stood as `move` left it."""
    at, ended_at, stage = move.at, after.at if after else None, str(move.to_stage)
    match move.to_status:
        case Status.CLAIMED:
            return _work(move, after)
        case Status.READY:
            return Entry(EntryKind.WAITED, stage, at, ended_at, "for a free worker.")
        case Status.DEFERRED if (move.kind, move.verb) == (Kind.INTAKE, "create"):
            sentence = "Images are being received." if after is None else _received(after)
            return Entry(EntryKind.RECEIVED if after else EntryKind.WORKING, "receiving", at, ended_at, sentence)
        case Status.DEFERRED:
            return Entry(EntryKind.WAITED, stage, at, ended_at, move.why)
        case Status.HELD:
            return Entry(EntryKind.PERSON, stage, at, ended_at, move.why)
        case Status.FAILED if after is not None:
            return Entry(EntryKind.PERSON, stage, at, ended_at, "It had failed.")
    return None


def _work(move: Move, after: Move | None) -> Entry:
    if after is None:
        return Entry(EntryKind.WORKING, str(move.to_stage), move.at, None, f"{move.who} is at work on it.")
    kind = EntryKind.DECIDED if after.verb in DECIDED_VERBS else ENDS_BADLY.get(after.verb, EntryKind.DONE)
    return Entry(kind, str(move.to_stage), move.at, after.at, after.why)


def _received(sealed: Move) -> str:
    return sealed.why if sealed.verb == "seal" else "The sender never completed the upload."


def _is_told(entry: Entry, move: Move, after: Move | None, now: datetime) -> bool:
    """Waits for a worker, and tries that led to a wait of the same reason, only when they took long."""
    is_try = move.to_status is Status.CLAIMED and after is not None and after.verb in {"defer", "hold", "give-back"}
    if is_try or move.to_status is Status.READY:
        return entry.took(now) >= TOLD_FROM
    return not (move.to_status is Status.CLAIMED and after is not None and after.verb in DECIDED_VERBS)


# --- the shares of time ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """One piece of the bar: `start` and `length` are parts of the whole, 0 to 1."""

    label: str
    took: timedelta
    start: float
    length: float
    is_wait: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """How the time from the first move to the last was spent."""

    pieces: tuple[Share, ...]
    working: timedelta
    waiting: timedelta

    @property
    def whole(self) -> timedelta:
        return self.working + self.waiting

    @property
    def is_worth_drawing(self) -> bool:
        return self.whole >= TOLD_FROM


def share_out(lines: Iterable[Sequence[Move]], now: datetime) -> Shares:
    """The bar over one way through the line: intake, then study, then one workitem.

    Short waits count here too, so that the pieces add up to the whole. A moment counts once: a study is held while its workitem is.
    """
    spans = list(_one_after_another([entry for moves in lines for entry in _timed(moves)], now))
    whole = sum((took for _, took, _ in spans), timedelta())
    working = sum((took for _, took, is_wait in spans if not is_wait), timedelta())
    return Shares(tuple(_place(spans, whole)), working, whole - working)


def _timed(moves: Sequence[Move]) -> Iterator[Entry]:
    """What took time; an open wait for a person is told by the page, and would fill the bar."""
    for move, after in [*pairwise(moves), *((move, None) for move in moves[-1:])]:
        entry = _meantime(move, after)
        if entry is not None and not (after is None and entry.kind is EntryKind.PERSON):
            yield entry


def _one_after_another(entries: Sequence[Entry], now: datetime) -> Iterator[tuple[str, timedelta, bool]]:
    """The spans in the order of their beginnings, each without what the ones before cover."""
    covered = datetime.min.replace(tzinfo=UTC)
    for entry in sorted(entries, key=lambda entry: entry.at):
        ended_at = entry.ended_at or now
        if ended_at > covered:
            yield _label(entry), ended_at - max(entry.at, covered), entry.is_wait
            covered = ended_at


def _label(entry: Entry) -> str:
    match entry.kind:
        case EntryKind.PERSON:
            return "waited for a person"
        case EntryKind.WAITED if entry.stage == Stage.GATHERING:
            return "more might come"
        case EntryKind.WAITED:
            return "waited"
    return entry.stage


def _place(spans: Iterable[tuple[str, timedelta, bool]], whole: timedelta) -> Iterator[Share]:
    """Neighbours of one label are one piece."""
    start = timedelta()
    joined: list[tuple[str, timedelta, bool]] = []
    for label, took, is_wait in spans:
        if joined and joined[-1][0] == label:
            joined[-1] = (label, joined[-1][1] + took, is_wait)
        else:
            joined.append((label, took, is_wait))
    for label, took, is_wait in joined:
        if whole and took:
            yield Share(label, took, start / whole, took / whole, is_wait)
        start += took
