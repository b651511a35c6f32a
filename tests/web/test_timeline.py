"""The moves of an item, told."""

from datetime import UTC, datetime, timedelta

from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.records import Move
from hilum.web.timeline import Entry, EntryKind, share_out, tell, told_below

BEGAN_AT = datetime(2026, 10, 13, 6, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN_AT + timedelta(seconds=seconds)


def move(seconds: float, verb: str, stage: Stage, status: Status, why: str, kind: Kind = Kind.STUDY) -> Move:
    return Move(int(seconds * 1000), "item", kind, at(seconds), "worker 1", verb, stage, status, stage, status, why, 1)


ARRIVED = move(0, "create", Stage.GATHERING, Status.READY, "80 instances arrived.")
CLAIMED = move(0.1, "claim", Stage.GATHERING, Status.CLAIMED, "80 instances arrived.")
DEFERRED = move(0.2, "defer", Stage.GATHERING, Status.DEFERRED, "Waiting until nothing more has arrived for 5 s.")
WOKEN = move(5.2, "wake", Stage.GATHERING, Status.READY, "Waiting until nothing more has arrived for 5 s.")
CLAIMED_AGAIN = move(5.3, "claim", Stage.GATHERING, Status.CLAIMED, "")
GATHERED = move(5.4, "advance", Stage.CHECKING, Status.READY, "Complete with 80 instances.")


def kinds(entries: list[Entry]) -> list[EntryKind]:
    return [entry.kind for entry in entries]


def test_work_and_waits_are_entries_of_their_own() -> None:
    told = tell([ARRIVED, CLAIMED, DEFERRED, WOKEN, CLAIMED_AGAIN, GATHERED], at(5.5))

    assert kinds(told) == [EntryKind.ARRIVED, EntryKind.WAITED, EntryKind.DONE]
    waited, done = told[1:]
    assert (waited.stage, waited.took(at(6)), waited.sentence) == ("gathering", timedelta(seconds=5), DEFERRED.why)
    assert (done.stage, done.sentence) == ("gathering", "Complete with 80 instances.")


def test_a_short_try_that_led_to_a_wait_is_told_by_the_wait_alone() -> None:
    assert kinds(tell([ARRIVED, CLAIMED, DEFERRED], at(1))) == [EntryKind.ARRIVED, EntryKind.WAITED]


def test_a_long_try_that_led_to_a_wait_is_told() -> None:
    failed = move(60, "defer", Stage.PROCESSING, Status.DEFERRED, "processing met a surprise.", Kind.WORKITEM)
    claimed = move(0, "claim", Stage.PROCESSING, Status.CLAIMED, "", Kind.WORKITEM)

    assert kinds(tell([claimed, failed], at(61))) == [EntryKind.DONE, EntryKind.WAITED]


def test_a_long_wait_for_a_worker_is_told() -> None:
    ready = move(0, "create", Stage.DEIDENTIFYING, Status.READY, "Matched.", Kind.WORKITEM)

    told = tell([ready], at(400))

    assert kinds(told) == [EntryKind.WAITED]
    assert told[0].ended_at is None
    assert told[0].sentence == "for a free worker."


def test_a_held_item_waits_for_a_person_until_one_decides() -> None:
    held = move(1, "hold", Stage.MATCHING, Status.HELD, "Slice 17 is missing.")
    retried = move(61, "retry", Stage.MATCHING, Status.READY, "maria lets it go on.")

    waiting = tell([held], at(31))
    assert kinds(waiting) == [EntryKind.PERSON]
    assert waiting[0].took(at(31)) == timedelta(seconds=30)

    decided = tell([held, retried], at(61.5))
    assert kinds(decided) == [EntryKind.PERSON, EntryKind.DECIDED]
    assert decided[1].sentence == "maria lets it go on."


def test_an_upload_is_received_until_its_sender_completes_it() -> None:
    begun = move(0, "create", Stage.IMPORTING, Status.DEFERRED, "Waiting for the sender to complete the upload.", Kind.INTAKE)
    sealed = move(98, "seal", Stage.IMPORTING, Status.READY, "The sender completed the upload.", Kind.INTAKE)

    (received,) = tell([begun, sealed], at(98.1))

    assert (received.kind, received.stage, received.took(at(99))) == (EntryKind.RECEIVED, "receiving", timedelta(seconds=98))


def test_an_item_at_work_is_told_as_going_on() -> None:
    (working,) = tell([move(0, "claim", Stage.PROCESSING, Status.CLAIMED, "", Kind.WORKITEM)], at(9))

    assert (working.kind, working.ended_at) == (EntryKind.WORKING, None)


def test_a_wait_that_a_workitem_tells_is_not_told_twice() -> None:
    held = Entry(EntryKind.PERSON, "matching", at(0), None, "Slice 17 is missing.")
    other = Entry(EntryKind.PERSON, "matching", at(0), None, "No template matches.")

    assert kinds(told_below([held], [[held]])) == [EntryKind.DONE]
    assert kinds(told_below([other], [[held]])) == [EntryKind.PERSON]


def test_a_wait_that_is_over_is_told_by_the_workitem_alone() -> None:
    why = "Slice 17 is missing."
    held = [move(0, "hold", Stage.MATCHING, Status.HELD, why), move(8, "release", Stage.MATCHING, Status.FINISHED, "Good enough.")]
    its = [move(0, "create", Stage.DEIDENTIFYING, Status.HELD, why), move(8, "retry", Stage.DEIDENTIFYING, Status.READY, "Good enough.")]

    (told, *_) = told_below(tell(held, at(9)), [tell(its, at(9))])

    assert (told.kind, told.ended_at) == (EntryKind.DONE, told.at)
    assert told.sentence.startswith("No workitem could go on")


def test_a_moment_in_which_study_and_workitem_wait_counts_once() -> None:
    held = [move(0, "hold", Stage.MATCHING, Status.HELD, "why"), move(8, "release", Stage.MATCHING, Status.FINISHED, "")]
    its = [
        move(0, "create", Stage.DEIDENTIFYING, Status.HELD, "why", Kind.WORKITEM),
        move(8, "claim", Stage.DEIDENTIFYING, Status.CLAIMED, "", Kind.WORKITEM),
        move(10, "advance", Stage.DELIVERING, Status.FINISHED, "", Kind.WORKITEM),
    ]

    shares = share_out([held, its], at(20))

    assert (shares.waiting, shares.working) == (timedelta(seconds=8), timedelta(seconds=2))


def test_the_shares_add_up_to_the_whole() -> None:
    shares = share_out([[ARRIVED, CLAIMED, DEFERRED, WOKEN, CLAIMED_AGAIN, GATHERED]], at(5.4))

    assert shares.whole == timedelta(seconds=5.4)
    assert shares.waiting == timedelta(seconds=5.2)
    assert abs(sum(piece.length for piece in shares.pieces) - 1) < 1e-9
    assert shares.pieces[0].start == 0
    assert [piece.is_wait for piece in shares.pieces] == [True, False, True, False]


def test_no_moves_have_no_shares() -> None:
    assert share_out([[]], at(0)).pieces == ()
    assert tell([], at(0)) == []
