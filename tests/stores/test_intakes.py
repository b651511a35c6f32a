"""What a delivery brought: files, offers, completing, counts, and what becomes durable too late."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from hilum.model.errors import ConflictError, ForbiddenError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.outcomes import Done, Refuse
from hilum.stores.intakes import NewIntake
from hilum.stores.offering import SentFile


def _status(site, intake):
    return site.ledger.find(SYSTEM, intake.id).status


def _sent(image, name=""):
    return SentFile(name or f"{image.uid}.dcm", 512, image.sha256)


def test_an_upload_waits_for_its_sender_and_is_taken_as_it_is_a_day_after_its_last_file(site, image):
    intake = site.start()
    assert _status(site, intake) is Status.DEFERRED
    site.clock.advance(hours=5)
    site.put(intake, image("1.2.1.1.1"))
    assert site.intakes.abandoned_until(SYSTEM, intake.id) == site.clock() + timedelta(days=1)


def test_completing_makes_the_upload_ready_and_wakes_a_worker(site, image):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"))
    woken = site.woken
    completed = site.intakes.complete(SYSTEM, intake.id, expected_files=1)
    assert (_status(site, intake), completed.expected_files, completed.completed_at) == (Status.READY, 1, site.clock())
    assert site.woken == woken + 1


def test_completing_twice_is_completing_once(site, image):
    intake = site.deliver(image("1.2.1.1.1"))
    moves = site.ledger.history(SYSTEM, [intake.id])
    site.clock.advance(minutes=1)
    assert site.intakes.complete(SYSTEM, intake.id).completed_at == site.clock() - timedelta(minutes=1)
    assert site.ledger.history(SYSTEM, [intake.id]) == moves


@pytest.mark.parametrize(
    ("expected", "sentence"), [(5, "3 of 5 files are missing"), (3, "1 of 3 files is missing"), (1, "1 file more than expected is here")]
)
def test_completing_with_another_count_names_the_difference_and_leaves_the_upload_open(site, image, expected, sentence):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"), image("1.2.1.1.2"))
    with pytest.raises(ConflictError, match=sentence):
        site.intakes.complete(SYSTEM, intake.id, expected)
    assert (_status(site, intake), site.intakes.find(SYSTEM, intake.id).completed_at) == (Status.DEFERRED, None)


def test_an_upload_completed_while_a_worker_looks_whether_it_was_abandoned_is_imported_at_once(site, image):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"))
    site.clock.advance(days=2)
    site.ledger.wake_due(SYSTEM)
    site.claim(Kind.INTAKE)
    site.intakes.complete(SYSTEM, intake.id)
    assert _status(site, intake) is Status.READY


@pytest.mark.parametrize("outcome", [Done("Imported."), Refuse("No DICOMs found in the upload.")])
def test_a_file_that_becomes_durable_after_importing_is_imported_after_all(site, image, outcome):
    intake = site.start()
    site.intakes.complete(SYSTEM, intake.id)
    site.ledger.finish(SYSTEM, site.claim(Kind.INTAKE), outcome)
    site.put(intake, image("1.2.1.1.1"))
    assert (_status(site, intake), site.intakes.counts(SYSTEM, intake.id)["received"]) == (Status.READY, 1)


def test_a_file_of_an_upload_that_was_taken_as_abandoned_is_imported_too(site, image):
    intake = site.start()
    site.clock.advance(days=2)
    site.ledger.wake_due(SYSTEM)
    site.ledger.finish(SYSTEM, site.claim(Kind.INTAKE), Refuse("No DICOMs found in the upload."))
    site.put(intake, image("1.2.1.1.1"))
    assert _status(site, intake) is Status.READY


def test_a_file_that_becomes_durable_while_importing_ends_takes_the_item_from_its_worker(site, image):
    from hilum.model.errors import LeaseLostError

    intake = site.start()
    site.intakes.complete(SYSTEM, intake.id)
    claimed = site.claim(Kind.INTAKE)
    site.put(intake, image("1.2.1.1.1"))
    with pytest.raises(LeaseLostError):
        site.ledger.finish(SYSTEM, claimed, Done("Nothing was there."))
    assert len(site.intakes.next_received(SYSTEM, intake.id, 10)) == 1


def test_the_same_name_with_other_bytes_is_set_aside_and_with_the_same_bytes_is_not(site, image):
    intake = site.start()
    first, other = image("1.2.1.1.1"), image("1.2.1.1.1", content="other")
    for one in (first, other, first):
        site.intakes.index([site.member(intake, one, "scan.dcm")])
    aside = site.catalogue.set_aside_of_intake(SYSTEM, intake.id)
    assert [(one.file_name, one.reason) for one in aside] == [
        ("scan.dcm", "The same file name was used before in this upload for other bytes.")
    ]
    assert [file.sha256 for file in site.intakes.list_files(SYSTEM, intake.id)] == [first.sha256]


def test_names_that_clash_within_one_call_are_seen_as_well(site, image):
    intake = site.start()
    pair = [site.member(intake, image("1.2.1.1.1", content=content), "scan.dcm") for content in ("a", "b")]
    site.intakes.index(pair)
    assert site.intakes.counts(SYSTEM, intake.id)["set_aside"] == 1


def test_files_are_listed_by_name_page_by_page(site, image):
    intake = site.start()
    site.put(intake, *(image(f"1.2.1.1.{number}") for number in (3, 1, 2)))
    first = site.intakes.list_files(SYSTEM, intake.id, limit=2)
    assert [file.name for file in first] == ["1.2.1.1.1.dcm", "1.2.1.1.2.dcm"]
    assert [file.name for file in site.intakes.list_files(SYSTEM, intake.id, after=first[-1].name)] == ["1.2.1.1.3.dcm"]
    assert site.intakes.find_file(SYSTEM, intake.id, "nothing.dcm") is None


def test_members_of_an_archive_are_counted_and_the_archive_is_listed(site, image):
    intake = site.start()
    member = site.member(intake, image("1.2.1.1.1"), "study.zip/1.dcm")
    site.intakes.index([replace(member, note=replace(member.note, batch="the-batch"))])
    site.intakes.record_archive(SYSTEM, intake.id, SentFile("study.zip", 9000, b"z" * 32), skipped=2)
    assert [file.name for file in site.intakes.list_files(SYSTEM, intake.id)] == ["study.zip"]
    assert site.intakes.counts(SYSTEM, intake.id)["received"] == 1


# --- offers ------------------------------------------------------------------------------------------------------------------------


def test_what_is_held_need_not_be_sent_and_its_study_belongs_to_the_upload(site, image):
    site.deliver(image("1.2.1.1.1"))
    intake = site.start()
    held, new = image("1.2.1.1.1"), image("1.2.1.1.2")
    assert site.intakes.offer(SYSTEM, intake.id, [_sent(held), _sent(new)]) == ["1.2.1.1.2.dcm"]
    site.put(intake, new)
    assert site.intakes.offer(SYSTEM, intake.id, [_sent(held), _sent(new)]) == []
    site.intakes.complete(SYSTEM, intake.id, expected_files=2)
    assert [study.study_instance_uid for study in site.catalogue.studies_of_intake(SYSTEM, intake.id)] == ["1.2.1"]
    site.register(intake)
    counts = site.intakes.counts(SYSTEM, intake.id)
    assert (counts["received"], counts["imported"], counts["already_held"]) == (2, 1, 1)


def test_what_another_project_holds_is_wanted_all_the_same(site, image):
    site.access.create_project(SYSTEM, "ward")
    site.deliver(image("1.2.1.1.1"), project="ward")
    intake = site.start()
    assert site.intakes.offer(SYSTEM, intake.id, [_sent(image("1.2.1.1.1"))]) == ["1.2.1.1.1.dcm"]


def test_a_deleted_study_is_wanted_again_at_once(site, image):
    site.deliver(image("1.2.1.1.1"))
    site.eraser.delete_study(SYSTEM, site.study().id, "A wish of the patient.")
    intake = site.start()
    assert site.intakes.offer(SYSTEM, intake.id, [_sent(image("1.2.1.1.1"))]) == ["1.2.1.1.1.dcm"]


def test_nothing_is_offered_to_a_completed_upload(site, image):
    intake = site.deliver(image("1.2.1.1.1"))
    with pytest.raises(ConflictError, match="The upload is complete"):
        site.intakes.offer(SYSTEM, intake.id, [_sent(image("1.2.1.1.2"))])


# --- counts, rights ----------------------------------------------------------------------------------------------------------------


def test_the_counts_add_up_at_every_moment(site, image):
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"))
    intake = site.start()
    brought = [image("1.2.1.1.1"), image("1.2.1.1.2", content="other"), image("1.2.1.1.3"), image("1.2.1.1.4"), image("1.2.1.1.5")]
    site.put(intake, *brought)

    def waiting():
        return len(site.intakes.next_received(SYSTEM, intake.id, 100))

    def others():
        counts = site.intakes.counts(SYSTEM, intake.id)
        return counts["received"], sum(number for name, number in counts.items() if name != "received") + waiting()

    assert others() == (5, 5)
    site.register(intake, limit=2)
    assert others() == (5, 5)
    site.register(intake, aside=lambda one: "It is broken." if one.uid == "1.2.1.1.5" else "")
    assert others() == (5, 5)
    expected = {"received": 5, "imported": 2, "already_held": 1, "set_aside": 1, "conflicts": 1, "skipped": 0}
    assert site.intakes.counts(SYSTEM, intake.id) == expected


def test_what_a_person_deleted_is_no_longer_counted(site, image):
    intake = site.deliver(image("1.2.1.1.1"), image("1.2.9.1.1", study="1.2.9", series="1.2.9.1"))
    site.eraser.delete_study(SYSTEM, site.study().id, "A wish of the patient.")
    counts = site.intakes.counts(SYSTEM, intake.id)
    assert (counts["received"], counts["imported"]) == (1, 1)


def test_who_may_not_send_begins_nothing_and_completes_nothing(site):
    site.access.create_project(SYSTEM, "ward")
    viewer = Scope("a viewer", {"ward": Role.VIEWER})
    with pytest.raises(ForbiddenError):
        site.intakes.start(viewer, NewIntake("ward", "uploads"))
    with pytest.raises(NotFoundError):
        site.intakes.start(viewer, NewIntake("elsewhere", "uploads"))
    intake = site.start("ward")
    with pytest.raises(ForbiddenError):
        site.intakes.complete(viewer, intake.id)


def test_files_put_by_many_at_once_are_all_indexed(site, image):
    intake = site.start()
    batches = [[site.member(intake, image(f"1.2.1.1.{batch}.{one}")) for one in range(10)] for batch in range(6)]
    threads = [threading.Thread(target=site.intakes.index, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.intakes.counts(SYSTEM, intake.id)["received"] == 60
    assert len(site.intakes.list_files(SYSTEM, intake.id)) == 60
    assert site.ledger.find(SYSTEM, intake.id).stage is Stage.IMPORTING
