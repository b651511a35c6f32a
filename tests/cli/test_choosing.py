"""The commands of a person who builds templates and chooses them by hand, against a real server with one held study."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum, UploadHeldError


def facts(ran: object) -> object:
    """What a command printed with --json."""
    assert ran.returncode in (0, 1), ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def held(server: tuple[PrivateServer, Path], at_server: Callable, phantoms: Path) -> str:
    """The id of the short study, uploaded and held."""
    running, _ = server
    sent = facts(at_server("upload", phantoms / "short", "--project", "admin", "--report-type", "brain_ms", "--json"))
    with Hilum(running.url, token=running.token) as client:
        with pytest.raises(UploadHeldError):
            client.uploads.wait(sent["id"], timeout=120)
        return client.uploads.get(sent["id"]).studies[0].id


def test_a_draft_is_tried_before_it_is_saved(at_server: Callable, held: str, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(at_server("template", "export", "brain_ms").stdout.replace("name: brain_ms", "name: draft", 1))

    ran = at_server("template", "dry-run", file, "--days", "1")

    assert ran.returncode == 0, ran.stderr
    assert "draft (new), over the last 1 days:" in ran.stdout
    assert "gained  study " in ran.stdout
    assert at_server("template", "show", "draft").returncode == 1


def test_the_dictionary_and_the_operators_are_searched(at_server: Callable) -> None:
    tags = at_server("template", "tags", "slice", "thick")
    assert (tags.returncode, "SliceThickness" in tags.stdout, "00180050" in tags.stdout) == (0, True, True), tags.stderr
    assert "date-within" in at_server("template", "operators", "--vr", "DA").stdout
    assert "required_series" in facts(at_server("template", "schema"))["properties"]
    named = at_server("template", "name-tag", "(0019,100C) ACME", "Dose", "IS")
    assert (named.returncode, named.stdout) == (0, "(0019,100C) ACME is called Dose; its VR is IS.\n"), named.stderr


def test_series_are_sent_to_a_template_by_hand_and_never_twice(at_server: Callable, held: str) -> None:
    answers = facts(at_server("assign", held, "--template", "image_quality", "--json"))
    assert all(one["workitem"] for one in answers)
    again = at_server("assign", held, "--template", "image_quality")
    assert again.returncode == 1
    assert "is being processed by workitem" in again.stderr or "was done with image_quality already" in again.stderr
    assert "has no role 'x'" in at_server("assign", held, "--template", "nifti", "--role", f"x={answers[0]['series']}").stderr


def test_a_study_is_explained_condition_by_condition_with_the_actual_values(at_server: Callable, held: str) -> None:
    ran = at_server("explain", held, "--template", "brain_ms")
    assert ran.returncode == 0, ran.stderr
    flair = ran.stdout[ran.stdout.index("MR FLAIR") :]
    assert "  brain_ms (version 1): fits" in flair
    assert "    flair:\n      yes  all of\n        yes  Modality is 'MR'; wanted: equals 'MR'." in flair
    assert "    t1:\n      no   all of\n" in flair
    assert "no   SeriesDescription is 'FLAIR'; wanted: contains 't1'." in flair


def test_without_a_name_the_nearest_report_type_is_explained(at_server: Callable, held: str) -> None:
    ran = at_server("explain", held)
    assert (ran.returncode, "all of" in ran.stdout) == (0, True), ran.stderr
    both = facts(at_server("explain", held, "--json"))
    assert {one["nearest"]["template"] for one in both["items"]} <= {"brain_ms", "draft"}
    assert all(rule["kind"] for one in both["items"] for template in one["templates"] for rule in template["rules"])


def test_a_report_type_that_cannot_be_explained_is_told_with_the_nearest(at_server: Callable, held: str) -> None:
    ran = at_server("explain", held, "--template", "brain_m")
    assert (ran.returncode, "Did you mean brain_ms?" in ran.stderr) == (1, True), ran.stderr
