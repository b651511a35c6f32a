"""Whatever the templates: what a dry-run says of the studies that are held is what matching then does with them."""

from collections.abc import Iterator
from itertools import count

import pytest
from counting import Counting
from hypothesis import given, settings
from hypothesis import strategies as st
from line import Line, open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.outcomes import Hold, Matched
from hilum.model.templates import Template
from hilum.runtime.dry_running import dry_run
from hilum.stages import matching
from images import series_of

STUDIES = {  # (description, EchoTime of each slice) of its series
    "t1": [("T1", [5, 5])],
    "flair": [("FLAIR", [90])],
    "both": [("T1", [5, 5]), ("FLAIR", [90, 90, 90])],
    "mixed": [("T1 FLAIR", [5, 90])],
    "twice": [("T1", [5]), ("T1", [5]), ("FLAIR", [90, 91])],
    "one for two": [("T1 FLAIR", [5, 5, 5]), ("T1", [10])],
    "bare": [("", [None])],
}
NAMES = count()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line that holds the studies, without templates of its own that take part in matching."""
    with open_line(settings_in(tmp_path_factory.mktemp("dry") / "data"), processors={"counting": Counting()}) as opened:
        for template, _ in opened.app.templates.newest(SYSTEM):
            opened.app.templates.save(SYSTEM, template.model_copy(update={"active": False}), new=False)
        for number, held in enumerate(STUDIES.values(), 1):
            files = {}
            for place, (description, echoes) in enumerate(held, 1):
                for slice_, echo in enumerate(echoes, 1):
                    attributes = {
                        "SeriesDescription": description,
                        "SeriesNumber": 9 - place,
                        **({} if echo is None else {"EchoTime": echo}),
                    }
                    files |= series_of([slice_], study=f"1.2.826.{number}", series=f"1.2.826.{number}.{place}", **attributes)
            opened.send(files)
        yield opened


conditions = st.one_of(
    st.builds(
        lambda operator, value, missing: {"attribute": "SeriesDescription", "operator": operator, "value": value, "missing": missing},
        st.sampled_from(["contains", "equals", "does-not-contain"]),
        st.sampled_from(["t1", "flair", "T1 FLAIR"]),
        st.sampled_from(["fails", "holds"]),
    ),
    st.builds(
        lambda operator, value, quantifier: {"attribute": "EchoTime", "operator": operator, "value": value, "quantifier": quantifier},
        st.sampled_from(["at-most", "greater-than", "equals"]),
        st.sampled_from([5, 10, 90]),
        st.sampled_from(["first", "any", "all"]),
    ),
    st.builds(lambda value: {"attribute": "NumberOfSeriesRelatedInstances", "operator": "at-least", "value": value}, st.integers(1, 3)),
)
groups = st.sampled_from(["all", "any", "none"])
rules = st.recursive(
    conditions, lambda parts: st.builds(lambda kind, some: {kind: some}, groups, st.lists(parts, min_size=1, max_size=3)), max_leaves=5
)
by_rule = st.builds(lambda rule, unit: {"rule": rule, "unit": unit}, rules, st.sampled_from(["study", "series"]))
by_roles = st.builds(
    lambda wanted, rule: {
        "required_series": [{"role": f"r{place}", "name": f"R{place}", "rule": one} for place, one in enumerate(wanted)],
        **({} if rule is None else {"rule": rule}),
    },
    st.lists(rules, min_size=1, max_size=3),
    st.none() | rules,
)
templates = by_rule | by_roles


def template(name: str, options: dict) -> Template:
    return Template.model_validate({"name": name, "processing": [{"processor": "counting"}], **options})


def matched_by(line: Line, name: str) -> dict[str, tuple[frozenset[str], bool]]:
    """Study -> (the series that matching sends to the template, whether several templates match); where this one matches."""
    found = {}
    for study_id in {one.study_id for one in line.app.catalogue.list_series(SYSTEM)}:
        outcome = matching.run(line.app.catalogue.find_study(SYSTEM, study_id).item, line.worker._tools)
        (change,) = outcome.changes
        assert isinstance(change, Matched)
        matching_ones = [verdict.template for verdict in change.verdicts if verdict.matched]
        if name in matching_ones:
            several = len(matching_ones) > 1
            assert several == (isinstance(outcome, Hold) and outcome.why.startswith("Several templates match: "))
            assert bool(change.workitems) is not several
            found[study_id] = frozenset(one.series_id for new in change.workitems for one in new.inputs), several
    return found


@settings(max_examples=40, deadline=None)
@given(st.none() | templates, templates, st.none() | templates)
def test_a_dry_run_says_what_matching_then_does(line: Line, saved: dict | None, draft: dict, other: dict | None) -> None:
    shelf, name, rival = line.app.templates, f"draft{next(NAMES)}", f"rival{next(NAMES)}"
    if saved is not None:
        shelf.save(SYSTEM, template(name, saved), new=True)
    before = matched_by(line, name)
    if other is not None:
        shelf.save(SYSTEM, template(rival, other), new=True)
    answer = dry_run(line.app, SYSTEM, template(name, draft), days=1)
    shelf.save(SYSTEM, template(name, draft), new=saved is None)
    after = matched_by(line, name)
    for one in (name, rival):
        if one in shelf.names(SYSTEM):
            shelf.save(SYSTEM, shelf.find(SYSTEM, one)[0].model_copy(update={"active": False}), new=False)

    count_of = answer.studies
    assert (count_of.looked_at, count_of.not_judged) == (len(STUDIES), 0)
    assert (count_of.matched, count_of.gained, count_of.lost) == (len(after), len(after.keys() - before), len(before.keys() - after))
    gained = {one.study_id: one for one in answer.examples if one.change == "gained"}
    lost = {one.study_id: one for one in answer.examples if one.change == "lost"}
    assert after.keys() - before <= gained.keys() <= after.keys()
    assert before.keys() - after <= lost.keys() <= before.keys()
    for study_id, (series, several) in after.items():
        had, _ = before.get(study_id, (frozenset(), False))
        if several:
            assert study_id not in gained or gained[study_id].also == (rival,)
        else:
            assert set(gained[study_id].series if study_id in gained else ()) == series - had
            assert set(lost[study_id].series if study_id in lost else ()) == had - series
