"""What results say of findings in spite of which they were made."""

from dataclasses import replace
from datetime import UTC, datetime

from hilum.model.letting_go import report_findings, report_findings_without_names
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Move
from hilum.model.templates import Template

GAP = Finding("missing-slices", Severity.ERROR, "Slice 4 is missing.")
REMARK = Finding("duplicate-slices", Severity.WARNING, "Slice 5 is there twice.")
RETRY = Move(
    id=2, item_id="w", kind=Kind.WORKITEM, at=datetime(2026, 3, 1, tzinfo=UTC), who="maria", verb="retry",
    from_stage=Stage.DEIDENTIFYING, from_status=Status.HELD, to_stage=Stage.DEIDENTIFYING, to_status=Status.READY,
    why="It is good enough.", attempt=0,
)  # fmt: skip


def make_template(**options: object) -> Template:
    return Template.model_validate({"name": "count", "processing": [{"processor": "dcm2niix"}], **options})


def test_a_person_who_let_an_error_go_is_named_with_the_reason() -> None:
    told = report_findings([GAP, REMARK], make_template(), [RETRY], [])

    assert told == ("Slice 4 is missing. Let go by maria: It is good enough.", "Slice 5 is there twice.")


def test_what_was_let_go_is_not_asked_for_any_more() -> None:
    asking = replace(GAP, sentence="Slice 4 is missing. Send it, or let it go on.")
    mends = ["", "Send it, or let it go on."]

    assert report_findings([asking], make_template(), [RETRY], mends) == ("Slice 4 is missing. Let go by maria: It is good enough.",)
    assert report_findings([asking], make_template(), [], mends) == (asking.sentence,)


def test_a_template_that_let_an_error_go_is_named() -> None:
    told = report_findings([GAP], make_template(severities={"missing-slices": "warning"}), [], [])

    assert told == ("Slice 4 is missing. Let go by count, for which this is a warning.",)


def test_findings_of_other_templates_are_not_reported() -> None:
    assert report_findings([Finding("required-series", Severity.ERROR, "No FLAIR.", "brain_ms")], make_template(), [], []) == ()


def test_results_that_show_nobody_name_the_check_and_neither_sender_nor_staff() -> None:
    quoting = Finding("missing-slices", Severity.ERROR, 'Slice 4 is missing in "T1 of Doe".')
    told = report_findings_without_names(
        [quoting, quoting, REMARK], make_template(), [RETRY], {"missing-slices": "A hole.", "duplicate-slices": "Twice."}
    )
    assert told == ("missing-slices: A hole. Let go by a person.", "duplicate-slices: Twice.")
