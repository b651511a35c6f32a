"""Items and their state: *stage* x *status*. Two tables, `STAGES` and `MOVES`; nothing else moves an item.

`stage` names the stage file that the item waits for; `status` says how it waits. Retry never changes the stage:
`deidentifying / failed` tells which file to open.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hilum.model.errors import ConflictError


class Kind(StrEnum):
    """The three kinds of item."""

    INTAKE = "intake"
    STUDY = "study"
    WORKITEM = "workitem"


class Stage(StrEnum):
    """One stage, one file in `stages/`."""

    RETRIEVING = "retrieving"
    IMPORTING = "importing"
    GATHERING = "gathering"
    CHECKING = "checking"
    MATCHING = "matching"
    DEIDENTIFYING = "deidentifying"
    PROCESSING = "processing"
    REVIEWING = "reviewing"
    DELIVERING = "delivering"


class Status(StrEnum):
    """How an item waits."""

    READY = "ready"  # a worker may take it
    CLAIMED = "claimed"  # a worker has it, until its lease runs out
    DEFERRED = "deferred"  # try again at a time
    HELD = "held"  # a person must look
    FAILED = "failed"  # our fault, or out of attempts
    REFUSED = "refused"  # will never go on; the sender is told
    FINISHED = "finished"
    CANCELLED = "cancelled"


STAGES: dict[Kind, tuple[Stage, ...]] = {
    Kind.INTAKE: (Stage.IMPORTING,),  # retrieving stands before it, when there is something that retrieves
    Kind.STUDY: (Stage.GATHERING, Stage.CHECKING, Stage.MATCHING),
    Kind.WORKITEM: (Stage.DEIDENTIFYING, Stage.PROCESSING, Stage.REVIEWING, Stage.DELIVERING),
}

S = Status
_OPEN = frozenset({S.READY, S.DEFERRED, S.HELD, S.FAILED})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of `MOVES`: from which statuses, to which; `to_stage` is "same", "next", or "named" (the caller names an earlier one)."""

    before: frozenset[Status]
    after: Status
    to_stage: str = "same"


MOVES: dict[str, Rule] = {
    # what a worker does
    "claim": Rule(frozenset({S.READY}), S.CLAIMED),
    "advance": Rule(frozenset({S.CLAIMED}), S.READY, "next"),  # out of the last stage: finished
    "defer": Rule(frozenset({S.CLAIMED}), S.DEFERRED),
    "hold": Rule(frozenset({S.CLAIMED}), S.HELD),
    "refuse": Rule(frozenset({S.CLAIMED}), S.REFUSED),
    "fail": Rule(frozenset({S.CLAIMED}), S.FAILED),
    # what housekeeping does
    "wake": Rule(frozenset({S.DEFERRED}), S.READY),
    "give-back": Rule(frozenset({S.CLAIMED}), S.READY),  # the lease ran out, or the worker stops
    # what doors and importing do
    "seal": Rule(frozenset({S.DEFERRED}), S.READY),  # the sender completed its upload
    "reopen": Rule(frozenset(Status), S.READY, "named"),  # late instances, or a new request
    "supersede": Rule(_OPEN, S.CANCELLED),
    # what a person does
    "retry": Rule(frozenset({S.HELD, S.FAILED, S.DEFERRED}), S.READY),
    "countersign": Rule(frozenset({S.HELD}), S.HELD),  # the first of two people accepts
    "accept": Rule(frozenset({S.HELD}), S.READY, "next"),
    "reject": Rule(frozenset({S.HELD}), S.REFUSED),
    "release": Rule(frozenset({S.HELD}), S.FINISHED),  # a held study whose workitem was let through by a person
    "send-back": Rule(_OPEN | {S.FINISHED, S.REFUSED}, S.READY, "named"),
    "cancel": Rule(_OPEN | {S.CLAIMED}, S.CANCELLED),
}


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the ledger has it. `version` grows by one with every move: the compare-and-set key."""

    id: str
    kind: Kind
    project: str
    stage: Stage
    status: Status
    why: str
    version: int
    attempt: int
    since_at: datetime
    not_before_at: datetime | None = None
    lease_until_at: datetime | None = None
    priority: int = 0


def place_after(kind: Kind, stage: Stage, verb: str, to_stage: Stage | None = None) -> tuple[Stage, Status]:
    """Where `verb` takes an item that stands at `stage`."""
    rule = MOVES[verb]
    line = STAGES[kind]
    if rule.to_stage == "same":
        return stage, rule.after
    if rule.to_stage == "next":
        following = line.index(stage) + 1
        return (line[following], rule.after) if following < len(line) else (stage, Status.FINISHED)
    if to_stage is None or to_stage not in line:
        raise ConflictError(f"A {kind} has no stage {to_stage}.", f"Name one of {', '.join(line)}.")
    if line.index(to_stage) > line.index(stage):
        raise ConflictError(f"{to_stage} comes after {stage}, where the {kind} stands.", "An item can only be sent back, not ahead.")
    return to_stage, rule.after


def check_move(item: Item, verb: str) -> None:
    """Raise ConflictError unless `verb` may move `item` from its present status."""
    allowed = MOVES[verb].before
    if item.status not in allowed:
        raise ConflictError(
            f"The {item.kind} stands at {item.stage} / {item.status}; {verb} needs {_one_of(allowed)}.",
            "Look again with `hilum why`: somebody else may have moved it.",
        )


def _one_of(statuses: Iterable[Status]) -> str:
    return " or ".join(sorted(statuses))


class Step(StrEnum):
    """The five steps of an upload, in the words of seed 000."""

    UPLOADING = "Uploading"
    IMPORTING = "Importing"
    PROCESSING = "Processing"
    QUALITY_CONTROL = "QualityControl"
    FINISHED = "Finished"


STEPS: dict[Stage, Step] = {
    Stage.RETRIEVING: Step.UPLOADING,
    Stage.IMPORTING: Step.IMPORTING,
    Stage.GATHERING: Step.PROCESSING,
    Stage.CHECKING: Step.PROCESSING,
    Stage.MATCHING: Step.PROCESSING,
    Stage.DEIDENTIFYING: Step.PROCESSING,
    Stage.PROCESSING: Step.PROCESSING,
    Stage.REVIEWING: Step.QUALITY_CONTROL,
    Stage.DELIVERING: Step.QUALITY_CONTROL,
}

ENDED = frozenset({Status.FINISHED, Status.REFUSED, Status.CANCELLED, Status.FAILED})
"""Statuses from which nothing moves by itself."""


class Outcome(StrEnum):
    """How an upload ended, or stands still."""

    SUCCEEDED = "succeeded"
    PARTLY = "partly"
    FAILED = "failed"
    HELD = "held"
