"""What importing leaves for studies: new ones, late instances, duplicates, new requests, and two uploads of one study at once."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from hilum.model.errors import ConflictError, LeaseLostError
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.outcomes import (
    ArtifactsMade,
    Delivered,
    Done,
    Finding,
    FindingsRecorded,
    Matched,
    NewArtifact,
    NewWorkitem,
    Severity,
    StoredBytes,
    StudiesTouched,
)
from hilum.stores.schema import items

LEASE = timedelta(seconds=60)


@pytest.fixture
def matched(site, image):
    """A study of two images, matched to the template `t` on revision 1."""
    site.save_template("t")
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"), report_type="t")
    return site.match("t")


def _workitems(site):
    return [(one.revision, one.template, one.item.status) for one in site.catalogue.list_workitems(SYSTEM, study_id=site.study().id)]


def test_a_new_study_waits_for_gathering(site, image):
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"))
    study = site.study()
    assert (study.item.stage, study.item.status, study.item.why) == ("gathering", "ready", "Its first instances arrived.")
    assert (study.revision, study.number_of_series, study.number_of_instances) == (1, 1, 2)


def test_instances_that_come_while_gathering_make_no_new_revision(site, image):
    site.deliver(image("1.2.1.1.1"))
    site.deliver(image("1.2.1.1.2"))
    assert (site.study().revision, site.study().item.why) == (1, "Its first instances arrived.")


def test_late_instances_make_a_new_revision_and_supersede_what_waits(site, image, matched):
    site.deliver(image("1.2.1.1.3"))
    study = site.study()
    assert (study.revision, study.item.stage, study.item.status) == (2, "gathering", "ready")
    assert _workitems(site) == [(1, "t", Status.CANCELLED)]
    assert site.ledger.find(SYSTEM, matched.id).why == "Superseded by revision 2."
    newer = site.match("t")
    assert (newer.revision, newer.supersedes) == (2, matched.id)


@pytest.mark.parametrize("status", ["held", "failed", "deferred"])
def test_a_workitem_that_is_held_failed_or_deferred_is_superseded_too(site, image, matched, status):
    with site.database.writing() as connection:
        connection.execute(update(items).where(items.c.id == matched.id).values(status=status))
    site.deliver(image("1.2.1.1.3"))
    assert _workitems(site) == [(1, "t", Status.CANCELLED)]


def test_a_workitem_that_runs_is_left_to_finish(site, image, matched):
    running = site.claim(Kind.WORKITEM)
    site.deliver(image("1.2.1.1.3"))
    assert site.ledger.finish(SYSTEM, running, Done("Done.")).stage is Stage.PROCESSING
    assert _workitems(site) == [(1, "t", Status.READY)]


def test_what_was_delivered_stays_beside_the_new_revision(site, image, matched):
    while site.catalogue.find_workitem(SYSTEM, matched.id).item.status is not Status.FINISHED:
        site.ledger.finish(SYSTEM, site.claim(Kind.WORKITEM), Done("Done."))
    site.deliver(image("1.2.1.1.3"))
    assert _workitems(site) == [(1, "t", Status.FINISHED)]


def test_late_instances_after_a_study_was_sent_back_to_gathering_make_a_new_revision_all_the_same(site, image, matched):
    site.decisions.send_back(SYSTEM, matched.study_id, Stage.GATHERING)
    site.deliver(image("1.2.1.1.3"))
    assert site.study().revision == 2
    assert _workitems(site) == [(1, "t", Status.CANCELLED)]


def test_duplicates_never_reopen_a_study(site, image, matched):
    before = site.study().item
    intake = site.deliver(image("1.2.1.1.1"), image("1.2.1.1.2"))
    assert site.study().item == before
    assert site.intakes.counts(SYSTEM, intake.id)["already_held"] == 2
    assert [study.id for study in site.catalogue.studies_of_intake(SYSTEM, intake.id)] == [matched.study_id]


def test_the_same_report_type_on_duplicates_is_answered_by_what_there_is(site, image, matched):
    before = site.study().item
    site.deliver(image("1.2.1.1.1"), report_type="t")
    assert site.study().item == before


def test_another_report_type_on_duplicates_has_the_study_checked_on_the_same_revision(site, image, matched):
    site.deliver(image("1.2.1.1.1"), report_type="other")
    study = site.study()
    assert (study.revision, study.item.stage, study.item.status) == (1, "checking", "ready")
    assert study.item.why == "Asked for other on what is held already."
    assert _workitems(site) == [(1, "t", Status.READY)]


@pytest.mark.parametrize("report_type", ["t", ""])
def test_force_reprocessing_has_a_known_study_checked_again(site, image, matched, report_type):
    site.deliver(image("1.2.1.1.1"), report_type=report_type, force_reprocessing=True)
    assert (site.study().revision, site.study().item.stage) == (1, "checking")


def test_a_conflict_with_a_study_that_is_through_has_it_checked_again(site, image, matched):
    site.deliver(image("1.2.1.1.1", content="other bytes"))
    study = site.study()
    assert (study.revision, study.item.stage) == (1, "checking")
    assert [one.reason for one in site.catalogue.conflicts(SYSTEM, study.id)] == [
        "The instance 1.2.1.1.1 is held already with another data set; the one held is kept."
    ]


def test_importing_that_runs_again_tells_its_studies_nothing_new(site, image, matched):
    late = site.deliver(image("1.2.1.1.3"))
    site.match("t")
    site.ledger.move(SYSTEM, late.id, "reopen", "Once more.", Stage.IMPORTING)
    site.finish_importing(late)
    assert (site.study().revision, site.study().item.stage) == (2, "matching")


def test_a_study_is_not_buried_while_an_upload_of_it_is_being_imported(site, image):
    site.deliver(image("1.2.1.1.1"))
    study = site.study()
    intake = site.start()
    site.put(intake, image("1.2.1.1.2"))
    site.intakes.complete(SYSTEM, intake.id)
    site.register(intake)
    with pytest.raises(ConflictError, match="still being imported"):
        site.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    site.finish_importing(intake)
    site.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    assert site.ledger.find(SYSTEM, study.id).status is Status.CANCELLED
    assert site.ledger.claim(SYSTEM, "worker", LEASE) is None


def test_a_study_whose_upload_is_half_imported_is_listed_and_waits_at_gathering(site, image):
    intake = site.start()
    site.put(intake, image("1.2.1.1.1"))
    site.intakes.complete(SYSTEM, intake.id)
    site.register(intake)
    assert (site.study().item.stage, site.study().item.status) == (Stage.GATHERING, Status.READY)
    assert site.catalogue.requests(SYSTEM, site.study().id)[0].pending


def test_late_instances_make_a_new_revision_with_the_first_of_them(site, image):
    site.deliver(image("1.2.1.1.1"))
    site.advance_study("matching")
    intake = site.start()
    site.put(intake, image("1.2.1.1.2"))
    site.intakes.complete(SYSTEM, intake.id)
    site.register(intake)
    assert (site.study().revision, site.study().item.stage) == (2, Stage.GATHERING)


def test_an_object_of_another_patient_stays_when_the_study_it_clashes_with_is_deleted(site, image):
    site.deliver(image("1.2.1.1.1"))
    study = site.study()
    intake = site.deliver(image("1.2.1.1.2", patient_id="P2"))
    (clashing,) = site.catalogue.conflicts(SYSTEM, study.id)
    site.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    site.eraser.erase_all()
    assert site.catalogue.find_set_aside(SYSTEM, clashing.key).intake_id == intake.id


def test_a_study_that_a_worker_has_is_reopened_and_the_worker_loses_it(site, image):
    site.deliver(image("1.2.1.1.1"))
    claimed = site.claim(Kind.STUDY)
    site.deliver(image("1.2.1.1.2"))
    with pytest.raises(LeaseLostError):
        site.ledger.finish(SYSTEM, claimed, Done("Complete with 1 instance."))
    assert site.study().item.status is Status.READY


def test_two_uploads_of_one_study_that_end_at_once_leave_one_study_with_all_instances(site, image):
    uploads = [site.start() for _ in range(4)]
    for number, intake in enumerate(uploads):
        site.put(intake, *(image(f"1.2.1.1.{number}.{one}") for one in range(5)), image("1.2.1.1.99"))
        site.intakes.complete(SYSTEM, intake.id)
    claimed = [site.claim(Kind.INTAKE) for _ in uploads]
    together, troubles = threading.Barrier(4), []

    def import_one(item, intake):
        together.wait()
        try:
            site.register(intake)
            site.ledger.finish(SYSTEM, item, Done("Imported.", (StudiesTouched(intake.id),)))
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the test shows it
            troubles.append(trouble)

    threads = [threading.Thread(target=import_one, args=pair) for pair in zip(claimed, uploads, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    study = site.study()
    assert (study.number_of_instances, study.number_of_series, study.revision) == (21, 1, 1)
    counts = [site.intakes.counts(SYSTEM, intake.id) for intake in uploads]
    assert sum(one["imported"] for one in counts) == 21
    assert sum(one["already_held"] for one in counts) == 3


def test_uploads_that_end_while_the_study_is_worked_on_lose_nothing(site, image):
    """A worker takes the study through its stages while others reopen it again and again: nobody sees an error, all is there."""
    site.deliver(image("1.2.1.1.0"))
    uploads = [site.start() for _ in range(6)]
    for number, intake in enumerate(uploads, start=1):
        site.put(intake, image(f"1.2.1.1.{number}"))
        site.intakes.complete(SYSTEM, intake.id)
    claimed = [site.claim(Kind.INTAKE) for _ in uploads]
    imported, troubles = threading.Event(), []

    def work_on_studies():
        while not imported.is_set():
            item = site.ledger.claim(SYSTEM, "worker", LEASE, (Kind.STUDY,))
            try:
                if item is not None:
                    site.ledger.finish(SYSTEM, item, Done("Go on."))
            except LeaseLostError:
                continue
            except Exception as trouble:  # noqa: BLE001 - whatever it is, the test shows it
                troubles.append(trouble)

    worker = threading.Thread(target=work_on_studies)
    worker.start()
    for item, intake in zip(claimed, uploads, strict=True):
        site.register(intake)
        site.ledger.finish(SYSTEM, item, Done("Imported.", (StudiesTouched(intake.id),)))
    imported.set()
    worker.join()
    assert troubles == []
    assert site.study().number_of_instances == 7


# --- what the other stages leave -----------------------------------------------------------------------------------------------------


def test_checking_that_runs_again_replaces_its_findings(site, image):
    site.deliver(image("1.2.1.1.1"))
    study = site.study()
    for sentence in ("The first.", "The second."):
        site.advance_study("checking")
        found = FindingsRecorded(study.id, 1, (Finding("missing-slices", Severity.ERROR, sentence),))
        site.ledger.finish(SYSTEM, site.claim(Kind.STUDY), Done("Checked.", (found,)))
        site.decisions.send_back(SYSTEM, study.id, Stage.CHECKING)
    assert [finding.sentence for finding in site.catalogue.findings(SYSTEM, study)] == ["The second."]


def test_an_answer_whose_item_was_moved_leaves_nothing(site, image):
    site.deliver(image("1.2.1.1.1"))
    study, item = site.study(), site.claim(Kind.STUDY)
    site.decisions.cancel(SYSTEM, study.id)
    found = FindingsRecorded(study.id, 1, (Finding("missing-slices", Severity.ERROR, "Nobody reads this."),))
    with pytest.raises(LeaseLostError):
        site.ledger.finish(SYSTEM, item, Done("Checked.", (found,)))
    assert site.catalogue.findings(SYSTEM, study) == []


def test_a_template_s_priority_is_its_workitem_s(site, image):
    site.deliver(image("1.2.1.1.1"))
    site.advance_study("matching")
    study = site.study()
    urgent = Matched(study.id, 1, (), (NewWorkitem("t", 1, (), priority=7),), ())
    site.ledger.finish(SYSTEM, site.claim(Kind.STUDY), Done("Matched.", (urgent,)))
    assert site.claim(Kind.WORKITEM).priority == 7


def test_results_that_are_made_again_are_delivered_again(site, matched):
    def made(name):
        stored = StoredBytes(site._pack, 0, 1, b"\0" * 32)
        return ArtifactsMade(matched.id, (NewArtifact(name, "text/plain", stored),), {"step": name})

    for name in ("first.txt", "second.txt"):
        item = site.claim(Kind.WORKITEM)
        changes = (made(name), Delivered(matched.id, "1 folder", {"files": 1}))
        site.ledger.finish(SYSTEM, item, Done("Made.", changes))
        assert list(site.catalogue.receipts(SYSTEM, matched.id)) == ["1 folder"]
    assert [artifact.name for artifact in site.catalogue.artifacts(SYSTEM, matched.id)] == ["second.txt"]
    assert site.catalogue.find_workitem(SYSTEM, matched.id).provenance["step"] == "second.txt"
