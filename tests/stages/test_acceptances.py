"""Findings that a person or a setting accepts are told and weigh nothing; checks run again, and what they found is cleared."""

import pytest
from line import open_line, settings_in

from hilum.model.acceptances import Acceptance, from_setting
from hilum.model.errors import ConflictError, InvalidError, NotFoundError
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Stage, Status
from images import series_of

GAP = [1, 2, 3, 5, 6, 7]


def weights(line, study, check):
    return [(severity, sentence) for kind, severity, sentence in line.findings(study) if kind == check]


def run_again(line, study):
    line.app.decisions.send_back(SYSTEM, study.id, Stage.CHECKING, "Again.")
    line.run()
    return line.app.catalogue.find_study(SYSTEM, study.id)


def test_a_finding_that_a_person_accepts_holds_the_study_no_more(line):
    study = line.study(line.send(series_of(GAP), report_type="count"))
    assert study.item.status is Status.HELD
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", reason="The scanner skips it."))
    again = run_again(line, study)
    ((severity, sentence),) = weights(line, study, "missing-slices")
    assert severity == "info"
    assert sentence.endswith(f"Accepted by {SYSTEM.who}: The scanner skips it.")
    assert again.item.status is Status.FINISHED
    assert {one.item.status for one in line.workitems(study)} == {Status.CANCELLED, Status.FINISHED}


def test_a_template_s_severity_does_not_outweigh_an_acceptance(line):
    line.save_template("strict", active=False, severities={"missing-slices": "error"})
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", reason="Known."))
    study = line.study(line.send(series_of(GAP), report_type="strict"))
    assert study.item.status is Status.FINISHED


def test_an_acceptance_is_for_its_series_and_its_words_only(line):
    other = series_of(GAP, series="1.2.826.1.2")
    study = line.study(line.send({**series_of(GAP), **other}, report_type="count"))
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", "slice 4", "1.2.826.1.2", "Known."))
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", "slice 9", reason="Never seen."))
    run_again(line, study)
    assert sorted(severity for severity, _ in weights(line, study, "missing-slices")) == ["error", "info"]


@pytest.mark.parametrize(
    ("words", "statement", "is_taken"),
    [
        ("Slice 4", "Slice 4 is missing in series 1.", True),
        ("slice 4", "Slice 4 is missing.", True),
        ("Slice 4", "Slice 40 is missing.", False),
        ("lice 4", "Slice 4 is missing.", False),
        ("Slices 4", "Slices 4 and 40 are missing.", False),
        ("40 are missing", "Slices 4 and 40 are missing.", False),
        ("Slices 4 and 40", "Slices 4 and 40 are missing.", True),
        ("Slices 4 to 6", "Slices 4 to 60 are missing.", False),
        ("steps of 2", "Steps of 2.50 mm", False),
        ("PatientSex", "PatientSex of type 2 is missing (mr-image, module patient)", True),
        ("CodeValue", "ProcedureCodeSequence.CodeValue of type 1 is missing", False),
        ("PatientSex", "PatientSexAtBirth is missing", False),
        ('series 3 "a.b"', 'Slice 1 is missing in series 3 "a.b".', True),
        ("", "anything", True),
    ],
)
def test_words_are_whole_words_and_whole_numbers(words, statement, is_taken):
    assert Acceptance("missing-slices", words).takes("missing-slices", [statement], "") is is_taken


def test_an_accepted_hole_does_not_cover_another_of_the_same_series(line):
    study = line.study(line.send(series_of([1, 2, 3, 5, 6, 7, *range(8, 40), 41, 42]), report_type="count"))
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", "Slice 4", reason="The scanner skips it."))
    run_again(line, study)
    assert weights(line, study, "missing-slices")[0][0] == "error"


def test_of_many_missing_attributes_one_can_be_accepted(line):
    line.app.acceptances.accept(SYSTEM, "admin", Acceptance("module-conformance", "ImageType", reason="Our scanner."))
    study = line.study(line.send(series_of([1, 2]), report_type="count"))
    accepted, others = sorted(sentence for _, sentence in weights(line, study, "module-conformance") if "ImageType" in sentence), []
    others = [sentence for _, sentence in weights(line, study, "module-conformance") if "ImageType" not in sentence]
    assert len(accepted) == len(others) == 1
    assert "Accepted by" in accepted[0]


def test_a_withdrawn_acceptance_counts_no_more(line):
    made = line.app.acceptances.accept(SYSTEM, "admin", Acceptance("missing-slices", reason="Known."))
    line.app.acceptances.withdraw(SYSTEM, made.key)
    assert line.app.acceptances.list_accepted(SYSTEM, "admin") == []
    assert line.study(line.send(series_of(GAP), report_type="count")).item.status is Status.HELD
    with pytest.raises(NotFoundError):
        line.app.acceptances.withdraw(SYSTEM, made.key)


def test_settings_accept_for_the_whole_site(tmp_path, counting):
    settings = settings_in(tmp_path / "data", accepted_findings=("missing-slices: slice 4",))
    with open_line(settings, processors={"counting": counting}) as line:
        line.save_template("count", active=False)
        study = line.study(line.send(series_of(GAP), report_type="count"))
        assert weights(line, study, "missing-slices")[0][1].endswith("Accepted by the site's settings.")


def test_a_setting_names_a_check_and_perhaps_words():
    assert from_setting("pixel-data") == Acceptance("pixel-data")
    assert from_setting("valid-values: BodyPart") == Acceptance("valid-values", "BodyPart")


def test_an_acceptance_needs_a_reason_and_a_series_that_exists(line):
    with pytest.raises(InvalidError, match="reason"):
        line.app.acceptances.accept(SYSTEM, "admin", Acceptance("pixel-data"))
    with pytest.raises(NotFoundError):
        line.app.acceptances.accept(SYSTEM, "admin", Acceptance("pixel-data", series_instance_uid="1.2", reason="x"))


def test_findings_that_are_cleared_come_again_when_the_checks_run_again(line):
    study = line.study(line.send(series_of(GAP), report_type="count"))
    assert line.app.acceptances.clear(SYSTEM, study.id) > 0
    assert line.findings(study) == []
    run_again(line, study)
    assert "missing-slices" in [check for check, *_ in line.findings(study)]


def test_checks_do_not_run_again_before_a_study_is_complete(line):
    intake = line.start()
    line.put(intake, series_of([1, 2]))
    line.clock.advance(hours=25)
    line.app.ledger.wake_due(SYSTEM)
    line.run()
    with pytest.raises(ConflictError):
        line.app.decisions.send_back(SYSTEM, line.study(intake).id, Stage.CHECKING)
