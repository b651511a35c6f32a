"""A dry-run says what matching would do, before anything is saved."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counting import Counting
from line import Line, open_line, settings_in

from hilum.model.errors import InvalidError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.lifecycle import Stage
from hilum.model.templates import Template
from hilum.runtime.dry_running import dry_run
from images import series_of


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A line without templates of its own that take part in matching."""
    with open_line(settings_in(tmp_path / "data"), processors={"counting": Counting()}) as opened:
        for template, _ in opened.app.templates.newest(SYSTEM):
            opened.app.templates.save(SYSTEM, template.model_copy(update={"active": False}), new=False)
        yield opened


def draft(**options) -> Template:
    return Template.model_validate({"name": "draft", "processing": [{"processor": "counting"}], **options})


def counts(answer):
    both = (("studies", answer.studies), ("series", answer.series))
    return {name: (count.matched, count.lost, count.gained, count.not_judged) for name, count in both}


def send_studies(line):
    """Three studies: T1 alone, FLAIR alone, both."""
    for number, descriptions in enumerate((["T1"], ["FLAIR"], ["T1", "FLAIR"]), start=1):
        files = {}
        for place, description in enumerate(descriptions, start=1):
            study, uid = f"1.2.826.{number}", f"1.2.826.{number}.{place}"
            echo = {"EchoTime": 5} if number == 1 else {}
            files |= series_of([1, 2], study=study, series=uid, SeriesDescription=description, SeriesNumber=place, **echo)
        line.send(files)


T1 = {"attribute": "SeriesDescription", "operator": "contains", "value": "t1"}
FLAIR = {"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}
BOTH = {
    "required_series": [{"role": "t1", "name": "T1", "rule": T1}, {"role": "flair", "name": "FLAIR", "rule": FLAIR}],
}
ECHO = {"attribute": "EchoTime", "operator": "is-present", "quantifier": "all"}
DRAFTS = [
    {"rule": T1},
    {"rule": FLAIR, "unit": "series"},
    BOTH,
    {"rule": {"none": [T1]}},
    {**BOTH, "rule": {"none": [FLAIR]}},
    {"rule": ECHO},
]


@pytest.mark.parametrize("options", DRAFTS, ids=str)
def test_a_dry_run_says_what_matching_then_does(line, options):
    send_studies(line)
    answer = dry_run(line.app, SYSTEM, draft(**options), days=1)
    said = {one.study_id: set(one.series) for one in answer.examples if one.change == "gained"}
    line.app.templates.save(SYSTEM, draft(**options), new=True)
    for study in {one.study_id for one in line.app.catalogue.list_series(SYSTEM)}:
        line.app.decisions.send_back(SYSTEM, study, Stage.MATCHING)
    line.run()
    done: dict[str, set[str]] = {}
    for workitem in line.app.catalogue.list_workitems(SYSTEM):
        done.setdefault(workitem.study_id, set()).update(given.series_id for given in workitem.inputs)
    assert done == said
    assert (answer.studies.matched, answer.series.matched) == (len(done), sum(map(len, done.values())))


def test_a_change_is_told_as_what_it_gains_and_loses(line):
    send_studies(line)
    line.app.templates.save(SYSTEM, draft(rule=T1), new=True)
    answer = dry_run(line.app, SYSTEM, draft(rule=FLAIR), days=1)
    assert answer.compared_with == 1
    assert counts(answer) == {"studies": (2, 1, 1, 0), "series": (2, 2, 2, 0)}
    assert {one.change for one in answer.examples} == {"lost", "gained"}
    assert line.app.templates.find(SYSTEM, "draft")[1] == 1


def test_what_was_never_kept_is_not_guessed(line):
    send_studies(line)
    answer = dry_run(line.app, SYSTEM, draft(rule={"all": [T1, {"attribute": "FlipAngle", "operator": "at-least", "value": 1}]}), days=1)
    assert answer.never_kept == ("FlipAngle",)
    assert counts(answer) == {"studies": (0, 0, 0, 2), "series": (0, 0, 0, 2)}


def test_only_the_last_days_and_only_the_caller_s_projects_are_looked_at(line):
    send_studies(line)
    nobody = Scope("a builder elsewhere", {"elsewhere": Role.BUILDER})
    assert dry_run(line.app, nobody, draft(rule=T1), days=1).studies.looked_at == 0
    line.clock.advance(days=3)
    assert dry_run(line.app, SYSTEM, draft(rule=T1), days=2).studies.looked_at == 0
    assert dry_run(line.app, SYSTEM, draft(rule=T1), days=4).studies.looked_at == 3


def test_a_template_that_is_found_by_name_only_has_nothing_to_try(line):
    with pytest.raises(InvalidError, match="has no rules"):
        dry_run(line.app, SYSTEM, draft(), days=1)


def test_the_reasons_are_those_that_matching_then_gives(line):
    send_studies(line)
    line.app.templates.save(SYSTEM, draft(rule=T1), new=True)
    changed = draft(rule={"all": [FLAIR, ECHO, {"attribute": "SliceLocation", "operator": "equals", "value": 7, "quantifier": "any"}]})
    lost = [one for one in dry_run(line.app, SYSTEM, changed, days=1).examples if one.change == "lost"]
    line.app.templates.save(SYSTEM, changed, new=False)
    for one in lost:
        line.app.decisions.send_back(SYSTEM, one.study_id, Stage.MATCHING)
    line.run()
    studies = {one.study_id: line.app.catalogue.find_study(SYSTEM, one.study_id) for one in lost}
    reasons = {study_id: [verdict["why"] for verdict in line.app.catalogue.verdicts(SYSTEM, study)] for study_id, study in studies.items()}
    assert reasons == {one.study_id: [one.sentence] for one in lost}
    assert len(lost) == 2
