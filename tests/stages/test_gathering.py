"""What proves that a study is complete: each proof starts the work at once where the project accepts it, and is named in the history."""

import pytest

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Stage, Status
from hilum.runtime.registry import find_members
from hilum.stores.senders import Senders
from images import series_of

STUDY = "1.2.826.1"
T1 = {"attribute": "SeriesDescription", "operator": "contains", "value": "t1"}


def complete(line, intake) -> str:
    """The verdict of gathering; "" while the study waits."""
    line.run()
    whys = [move.why for move in line.app.ledger.history(SYSTEM, [line.study(intake).id])]
    return next((why for why in whys if why.startswith("Complete with")), "")


@pytest.fixture
def receive(line):
    """Images that came over an association, which may be over."""
    senders = Senders(line.app.database, line.clock, line.app.intakes, lambda: None)

    def receive(files, project="admin", metadata=None, *, over=False):
        intake_id = senders.join(project, "dimse", "CT at 127.0.0.1 to HILUM", metadata=metadata)
        intake = line.app.intakes.find(SYSTEM, intake_id)
        line.put(intake, files)
        line.clock.advance(seconds=0.1)
        if over:
            senders.hasten({intake_id})
        else:
            line.clock.advance(seconds=4)  # importing looks by itself after the quiet time
            line.clock.advance(seconds=1)
            line.app.ledger.wake_due(SYSTEM)
        return intake

    return receive


def test_a_completed_upload_is_named_as_the_proof(line):
    intake = line.upload(series_of([1, 2]))
    assert complete(line, intake) == "Complete with 2 instances: the sender completed the upload (proof: upload-completed)."


def test_an_association_that_ended_proves_it_after_the_quiet_time(line, receive):
    intake = receive(series_of([1, 2, 3]), over=True)
    assert complete(line, intake) == ""
    line.clock.advance(seconds=6)
    line.app.ledger.wake_due(SYSTEM)
    said = "Complete with 3 instances: the association ended and nothing more arrived for 5 s (proof: association-ended)."
    assert complete(line, intake) == said


def test_a_count_that_is_reached_starts_the_work_at_once(line, receive):
    intake = receive(series_of([1, 2, 3]), metadata={"expected_counts": {STUDY: 3}}, over=True)
    assert complete(line, intake) == "Complete with 3 instances: all 3 announced instances are here (proof: expected-count)."


@pytest.mark.parametrize("uid", [STUDY, f"{STUDY}.1"], ids=["study", "series"])
def test_more_than_was_announced_is_no_proof_and_waits_for_another(line, receive, uid):
    intake = receive(series_of([1, 2, 3, 4]), metadata={"expected_counts": {uid: 3}}, over=True)
    assert complete(line, intake) == ""
    line.clock.advance(seconds=6)
    line.app.ledger.wake_due(SYSTEM)
    assert complete(line, intake).endswith("(proof: association-ended).")


def test_a_count_that_is_not_reached_waits_for_another_proof_and_is_a_finding(line, receive):
    intake = receive(series_of([1, 2, 3]), metadata={"expected_counts": {STUDY: 4}}, over=True)
    assert complete(line, intake) == ""
    line.clock.advance(seconds=6)
    line.app.ledger.wake_due(SYSTEM)
    assert complete(line, intake).endswith("(proof: association-ended).")
    assert "expected-counts" in [check for check, *_ in line.findings(line.study(intake))]


def test_a_project_accepts_only_the_proofs_it_names_and_quiet_time_is_the_fallback(line, receive):
    line.app.access.create_project(SYSTEM, "ward", accepts={"proofs": ["upload-completed"]})
    intake = receive(series_of([1, 2]), "ward", {"expected_counts": {STUDY: 2}}, over=True)
    assert complete(line, intake) == ""
    line.clock.advance(seconds=6)
    line.app.ledger.wake_due(SYSTEM)
    assert complete(line, intake) == "Complete with 2 instances: nothing more arrived for 5 s (proof: quiet-time)."


def test_required_series_without_a_gap_prove_it_where_the_transfer_has_ended_and_the_project_says_so(line, receive):
    line.save_template("brain", required_series=[{"role": "t1", "name": "T1", "rule": T1}])
    line.app.access.create_project(SYSTEM, "ward", accepts={"proofs": ["required-series"]})
    intake = receive(series_of([1, 2, 3, 4]), "ward", over=True)
    said = "Complete with 4 instances: every series that brain requires is here without a gap (proof: required-series)."
    assert complete(line, intake) == said


def test_a_gap_in_a_required_series_proves_nothing(line, receive):
    line.save_template("brain", required_series=[{"role": "t1", "name": "T1", "rule": T1}])
    line.app.access.create_project(SYSTEM, "ward", accepts={"proofs": ["required-series"]})
    intake = receive(series_of([1, 2, 3, 5, 6]), "ward", over=True)
    assert complete(line, intake) == ""
    assert line.study(intake).item.status is Status.DEFERRED


def test_without_an_end_required_series_only_shorten_the_wait(line, receive):
    line.save_template("brain", required_series=[{"role": "t1", "name": "T1", "rule": T1}])
    line.app.access.create_project(SYSTEM, "ward", accepts={"proofs": ["required-series"]}, quiet_seconds=60)
    intake = receive(series_of([1, 2, 3, 4]), "ward", over=False)
    line.clock.advance(seconds=6)
    line.app.ledger.wake_due(SYSTEM)
    complete(line, intake)
    line.clock.advance(seconds=3)
    line.app.ledger.wake_due(SYSTEM)
    assert complete(line, intake) == "Complete with 4 instances: nothing more arrived for 2 s (proof: quiet-time)."


def test_counts_given_at_the_end_of_an_upload_are_checked(line):
    intake = line.start()
    line.put(intake, series_of([1, 2, 3]))
    line.app.intakes.complete(SYSTEM, intake.id, expected_counts={f"{STUDY}.1": 4})
    line.run()
    (sentence,) = [sentence for check, _, sentence in line.findings(line.study(intake)) if check == "missing-slices"]
    assert "4" in sentence
    assert line.study(intake).item.stage is Stage.MATCHING


def test_counts_announced_for_two_studies_of_one_upload_are_each_study_s_own(line):
    counts = {STUDY: 3, f"{STUDY}.1": 3, "1.2.826.2": 2, "1.2.826.2.1": 2}
    files = series_of([1, 2, 3]) | series_of([4, 5], study="1.2.826.2", series="1.2.826.2.1")
    intake = line.upload(files, metadata={"expected_counts": counts})
    line.run()
    studies = line.app.catalogue.studies_of_intake(SYSTEM, intake.id)
    assert {study.study_instance_uid for study in studies} == {STUDY, "1.2.826.2"}
    for study in studies:
        assert [check for check, *_ in line.findings(study) if check in ("expected-counts", "missing-slices")] == []


def test_a_study_that_was_announced_beside_another_and_did_not_come_is_missed(line):
    intake = line.upload(series_of([1, 2, 3]), metadata={"expected_counts": {STUDY: 3, "1.2.826.2.1": 2}})
    line.run()
    (sentence,) = [sentence for check, _, sentence in line.findings(line.study(intake)) if check == "expected-counts"]
    assert "1.2.826.2.1 was announced with 2 instances, and none came" in sentence


def test_every_proof_is_its_file_s_name():
    kinds = list(find_members("hilum.proofs"))
    assert kinds == [
        "association-ended",
        "expected-count",
        "quiet-time",
        "required-series",
        "upload-completed",
    ]
