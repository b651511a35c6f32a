"""The report of the checks: its counts, its words, and that nothing anybody wrote acts in it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hilum.model.findings_report import CheckWords, FindingsReport, report_findings
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.outcomes import Finding, Severity, StoredBytes
from hilum.model.records import Instance, Series, Study
from hilum.stores.catalogue import Page, StudyFilter
from hilum.web.findings import MOST_INSTANCES, render_findings
from hilum.web.words import visible

if TYPE_CHECKING:
    from conftest import Gateway
    from hilum.phantoms import PhantomStudy

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% for %}",
    "javascript:alert(1)",
    "&lt;already&gt;",
    "Doe\u202eenaJ^\x00\x1b[31m",
    "]]><!--",
)


@pytest.fixture(scope="module")
def held(gateway: Gateway, phantoms: tuple[PhantomStudy, PhantomStudy]) -> Study:
    """The phantom that misses a slice."""
    gateway.bring(phantoms[1].files, "brain_ms")
    gateway.work()
    (found,) = [
        study
        for study in gateway.app.catalogue.list_studies(SYSTEM, StudyFilter(), Page())
        if gateway.app.catalogue.findings(SYSTEM, study)
    ]
    return found


def _series(number: int, count: int) -> tuple[Series, list[Instance]]:
    one = Series(f"s{number}", number, "st", "admin", f"1.{number}", "MR", f"series {number}", count, {"SeriesNumber": number})
    stored = StoredBytes("p", 0, 1, b"")
    return one, [Instance(f"1.{number}.{n}", {"InstanceNumber": n}, stored) for n in range(1, count + 1)]


def _report(study: Study, *findings: Finding) -> FindingsReport:
    words = {"missing-slices": CheckWords("There is a hole.", "Send it.")}
    return report_findings(study, [_series(10, 4), _series(2, 3)], findings, words)


def test_a_slice_counts_once_as_the_gravest_finding_that_names_it(held: Study) -> None:
    report = _report(
        held,
        Finding("b", Severity.WARNING, "W.", series_id="s10", instances=("1.10.1", "1.10.2", "gone")),
        Finding("missing-slices", Severity.ERROR, "E.", series_id="s10", instances=("1.10.2",)),
        Finding("c", Severity.INFO, "I.", instances=("1.2.1",)),
    )
    assert (report.counts.instances, report.counts.valid, report.counts.doubtful, report.counts.invalid) == (7, 5, 1, 1)
    assert [(one.number, one.counts.valid) for one in report.series] == [("2", 3), ("10", 2)]
    assert [one.finding.severity for one in report.findings] == ["error", "warning", "info"]
    assert report.findings[0].words.mend == "Send it."
    assert [instance.number for instance in report.findings[1].instances] == ["1", "2", ""]


def test_instances_stand_in_the_order_of_their_numbers(held: Study) -> None:
    one, instances = _series(1, 11)
    named = tuple(f"1.1.{number}" for number in (11, 2, 10, 1))
    report = report_findings(held, [(one, instances)], [Finding("missing-slices", Severity.ERROR, "x", instances=named)], {})
    assert [instance.number for instance in report.findings[0].instances] == ["1", "2", "10", "11"]


def test_the_report_stands_for_itself_and_its_policy_lets_its_own_style_in_alone(gateway: Gateway, held: Study) -> None:
    response = gateway.pages.get(f"/studies/{held.id}/findings.html")
    text = response.text
    assert "is missing" in text
    assert not re.search(r"(src|href)=|@import|url\(|<script", text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    allowed = "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    header = response.headers["content-security-policy"]
    assert allowed in header and "default-src 'none'" in header and "frame-ancestors 'none'" in header
    assert "unsafe" not in header
    (within,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    assert allowed in within.replace("&#39;", "'")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_anybody_wrote_acts_in_the_report(gateway: Gateway, held: Study, text: str) -> None:
    hostile = replace(held, patient_id=text, patient_name=text, accession_number=text, description=text, study_date=text, project=text)
    one, instances = _series(1, 2)
    one = replace(one, description=text, modality=text, attributes={"SeriesNumber": text})
    instances = [replace(instance, attributes={"InstanceNumber": text}) for instance in instances]
    finding = Finding(text, Severity.ERROR, text, template=text, series_id=one.id, instances=(instances[0].sop_instance_uid, text))
    report = report_findings(hostile, [(one, instances)], [finding], {text: CheckWords(text, text)})
    page = bytes(render_findings(gateway.app, SYSTEM, report).body).decode()
    plain = bytes(
        render_findings(gateway.app, SYSTEM, _report(held, replace(finding, check="a", sentence="b", template="c"))).body
    ).decode()
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= set(re.findall(r"<([a-z0-9]+)", plain))
    assert page.count("<style") == 1
    assert "onerror=alert(1)>" not in page and "<script" not in page
    assert ("{{ 7 * 7 }}" in page) == ("{{ 7 * 7 }}" in text)
    assert not re.search("[\x00-\x08\x1b\u202e]", page)


def test_what_nobody_sees_is_made_visible() -> None:
    assert visible("A\u202eB\x00C\tD\nE\u2066") == "A\ufffdB\ufffdC\tD\nE\ufffd"
    assert visible("Müller^Jürgen 山田") == "Müller^Jürgen 山田"


def test_a_finding_of_very_many_instances_lists_the_first(gateway: Gateway, held: Study) -> None:
    report = _report(held, Finding("a", Severity.ERROR, "Many.", instances=tuple(f"1.2.{n}" for n in range(5000))))
    page = bytes(render_findings(gateway.app, SYSTEM, report).body).decode()
    assert f"and {5000 - MOST_INSTANCES} more" in page
    assert len(page) < 60_000


def test_who_may_not_see_identities_sees_none_in_the_report(gateway: Gateway, held: Study) -> None:
    reader = Scope("reader", {"admin": Role.VIEWER})
    gateway.reader = reader
    try:
        page = gateway.pages.get(f"/studies/{held.id}/findings.html").text
    finally:
        gateway.reader = SYSTEM
    assert held.patient_id not in page and held.accession_number not in page
