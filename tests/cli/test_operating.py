"""The commands of a person who runs the gateway, one after the other, against a real server."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum, UploadHeldError


def facts(ran: object) -> object:
    """What a command printed with --json."""
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def held(server: tuple[PrivateServer, Path], at_server: Callable, phantoms: Path) -> dict[str, str]:
    """The short study, uploaded and held: the row that `held` shows."""
    running, _ = server
    sent = facts(at_server("upload", phantoms / "short", "--project", "admin", "--report-type", "brain_ms", "--json"))
    with Hilum(running.url, token=running.token) as client, pytest.raises(UploadHeldError):
        client.uploads.wait(sent["id"], timeout=120)
    (row,) = facts(at_server("held", "--json"))
    return row


def test_an_upload_that_needs_a_person_says_so(at_server: Callable, held: dict[str, str], phantoms: Path) -> None:
    again = at_server("upload", phantoms / "short", "--project", "admin", "--report-type", "brain_ms")

    assert again.returncode == 0, again.stderr
    assert "79 files received, 79 already held." in again.stdout


def test_an_upload_of_which_nothing_can_be_used_fails_and_status_shows_it(
    at_server: Callable, held: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")

    ran = at_server("upload", tmp_path, "--project", "admin")

    assert ran.returncode == 1
    assert "No DICOMs found in the upload." in ran.stderr
    status = at_server("status").stdout
    assert "Refused" in status
    assert "No DICOMs found in the upload." in status


def test_without_waiting_an_upload_only_says_where_it_is(at_server: Callable, held: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")

    assert at_server("upload", tmp_path, "--project", "admin", "--no-wait").returncode == 0


def test_an_interrupted_upload_names_its_id_and_the_way_on(at_server: Callable, phantoms: Path, held: dict[str, str]) -> None:
    """Its name is longer than the server takes: the upload is started, and then refused."""
    folder = phantoms / "long"
    for number in range(9):
        folder = folder / f"{number}{'n' * 200}"
    folder.mkdir(parents=True)
    (folder / "image.dcm").write_bytes(b"any")

    ran = at_server("upload", phantoms / "long", "--project", "admin")

    assert ran.returncode == 1
    assert f"goes on with it: hilum upload {phantoms / 'long'} --project admin --resume " in ran.stderr


def test_held_names_the_item_the_sentence_and_the_mend(at_server: Callable, held: dict[str, str]) -> None:
    line = at_server("held").stdout

    assert 'Slice 17 is missing in series 3 "FLAIR"' in line
    assert line.startswith(f"study {held['accession_number']}, brain_ms  project admin, held at deidentifying for ")
    assert "-> send the images that the reason asks for, if any, and the study is looked at again by itself: hilum upload FOLDER" in line
    assert f"hilum retry {held['id']}" in line
    assert "Nothing needs a person." in at_server("held", "--project", "none").stdout


def test_status_counts_and_names_the_oldest(at_server: Callable, held: dict[str, str]) -> None:
    shown = at_server("status").stdout
    counted = facts(at_server("status", "--json"))

    assert "1 item needs a person" in shown
    assert {"kind": "workitem", "stage": "deidentifying", "status": "held", "number": 1} in counted["items"]


def test_why_tells_by_id_and_by_accession_number(at_server: Callable, held: dict[str, str]) -> None:
    by_id = facts(at_server("why", held["study"], "--json"))
    found = at_server("why", "HILUM557686060")

    assert by_id["status"] == "held"
    assert found.returncode == 0, found.stderr
    assert "is held at matching since" in found.stdout
    assert "matching hold" in found.stdout


def test_why_of_nothing_is_an_error(at_server: Callable) -> None:
    ran = at_server("why", "NOTHING")

    assert ran.returncode == 1
    assert ran.stderr.startswith("hilum: There is no study NOTHING.")


def test_an_unknown_report_type_is_refused_before_a_byte_is_sent(at_server: Callable, phantoms: Path) -> None:
    ran = at_server("upload", phantoms / "whole", "--project", "admin", "--report-type", "brian_ms")

    assert ran.returncode == 1
    assert "brian_ms" in ran.stderr
    assert "brain_ms" in ran.stderr


def test_review_of_what_waits_for_no_reviewer_is_refused(at_server: Callable, held: dict[str, str]) -> None:
    ran = at_server("review", "accept", held["id"])

    assert ran.returncode == 1
    assert "not before a reviewer" in ran.stderr


def test_findings_are_told_and_written_as_a_report(at_server: Callable, held: dict[str, str], tmp_path: Path) -> None:
    told = at_server("findings", held["study"])
    assert "missing-slices" in told.stdout and " valid, " in told.stdout
    assert at_server("findings", held["study"], "--html", tmp_path / "report.html").returncode == 0
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_the_ratings_are_exported_and_a_rating_is_a_number(at_server: Callable, held: dict[str, str]) -> None:
    assert at_server("review", "ratings").stdout.startswith("workitem,project,template,")
    ran = at_server("review", "accept", held["id"], "--rating", "cord=well")
    assert (ran.returncode, "is no NAME=NUMBER" in ran.stderr) == (2, True)


def test_projects_tokens_and_users_are_made_by_the_administrator(at_server: Callable) -> None:
    assert at_server("project", "create", "ward-7", "--description", "Neuroradiology").returncode == 0
    assert "ward-7" in at_server("project", "list").stdout
    made = at_server("token", "create", "--role", "viewer", "--project", "ward-7")
    assert made.returncode == 0
    assert at_server("status", HILUM_TOKEN=made.stdout.strip()).stdout.startswith("Nothing has arrived yet.")
    added = at_server("user", "add", "maria", "--role", "reviewer", "--project", "ward-7", HILUM_PASSWORD="a long password")
    assert added.returncode == 0, added.stderr

    (token,) = [one for one in facts(at_server("token", "list", "--json")) if one["grants"][0]["project"] == "ward-7"]
    assert "reviewer in ward-7" in at_server("user", "list").stdout
    as_viewer = at_server("project", "create", "mine", HILUM_TOKEN=made.stdout.strip())
    assert as_viewer.returncode == 1
    assert "right to administer" in as_viewer.stderr
    assert at_server("token", "revoke", token["id"]).returncode == 0
    assert at_server("user", "remove", "maria").stdout == "maria comes in no more.\n"
    assert "revoked" in at_server("token", "list").stdout


def test_a_template_that_is_shown_can_be_saved(at_server: Callable, tmp_path: Path) -> None:
    file = tmp_path / "nifti.yaml"
    file.write_text(at_server("template", "show", "nifti").stdout)

    assert "brain_ms" in at_server("template", "list").stdout
    assert at_server("template", "save", file).stdout == "Template nifti is saved as version 2.\n"
    file.write_text("name: [\n")
    assert "is no YAML" in at_server("template", "save", file).stderr


def test_verify_reads_every_pack_and_finds_damage(at_server: Callable, server: tuple[PrivateServer, Path], held: dict[str, str]) -> None:
    report = facts(at_server("verify", "--json"))

    assert report["is_sound"]
    assert report["members"] >= 79


def test_verify_of_no_data_directory_says_so(hilum: Callable, tmp_path: Path) -> None:
    ran = hilum("verify", "--data", tmp_path)

    assert ran.returncode == 1
    assert "There are no packs" in ran.stderr


def test_repair_is_refused_while_the_server_runs(at_server: Callable, held: dict[str, str]) -> None:
    ran = at_server("verify", "--repair")

    assert ran.returncode == 1
    assert "is held by `hilum serve" in ran.stderr


def test_backup_is_a_ledger_of_one_moment(at_server: Callable, tmp_path: Path, held: dict[str, str]) -> None:
    copy = tmp_path / "copy.sqlite"

    assert at_server("backup", copy).returncode == 0
    with sqlite3.connect(copy) as ledger:
        assert ledger.execute("SELECT count(*) FROM instances").fetchone() == (79,)
    again = at_server("backup", copy)
    assert again.returncode == 1
    assert "exists" in again.stderr


def test_doctor_sees_the_server(at_server: Callable, server: tuple[PrivateServer, Path]) -> None:
    running, _ = server
    answers = facts(at_server("doctor", "--json", "--http", running.url.removeprefix("http://"), "--dimse", "off"))

    found = {answer["what"]: answer["found"] for answer in answers}
    assert "takes images" in found["server"]
    assert "made durable a second" in found["disk sync"]


def test_doctor_names_the_project_whose_key_is_missing(hilum: Callable, tmp_path: Path) -> None:
    from hilum.model.identity import SYSTEM
    from hilum.model.templates import Template
    from hilum.runtime.assembling import assemble
    from hilum.runtime.preparing import prepare
    from hilum.runtime.settings import load_settings

    settings = load_settings(data=tmp_path / "data", free_disk_bytes=0)
    prepare(settings)
    asked = ("doctor", "--json", "--data", settings.data, "--http", "127.0.0.1:0", "--dimse", "off")
    assert not [one for one in json.loads(hilum(*asked).stdout) if one["what"] == "key"]
    app = assemble(settings)
    app.templates.save(SYSTEM, Template.model_validate({"name": "hidden", "processing": [{"processor": "dcm2niix"}]}), new=True)
    app.close()
    (there,) = [one for one in json.loads(hilum(*asked).stdout) if one["what"] == "key"]
    assert there["ok"]
    (settings.keys_folder / "admin.keys").unlink()
    (missing,) = [one for one in json.loads(hilum(*asked).stdout) if one["what"] == "key"]
    assert missing["found"] == "project admin has none, and template hidden needs one"
    assert "`hilum key create admin`" in missing["mend"]


def test_doctor_of_a_data_directory_that_is_not_there_says_so(hilum: Callable, tmp_path: Path) -> None:
    ran = hilum("doctor", "--data", tmp_path / "none", "--http", "127.0.0.1:0", "--dimse", "off")

    assert ran.returncode == 1
    assert f"{tmp_path / 'none'} is not there" in ran.stdout


def test_a_held_workitem_goes_on_by_retry_and_the_study_can_be_deleted(at_server: Callable, held: dict[str, str]) -> None:
    assert "is ready at deidentifying: it is enough" in at_server("retry", held["id"], "--reason", "it is enough").stdout
    assert at_server("held").stdout == "Nothing needs a person.\n"

    asked = at_server("delete", held["study"], "--reason", "a test")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert at_server("delete", held["study"], "--reason", "a test", "--yes").returncode == 0
    assert at_server("why", held["study"]).returncode == 1
    assert "a test" in at_server("tombstone", "list").stdout


def test_what_was_set_aside_is_listed_and_deleted(at_server: Callable, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    at_server("upload", tmp_path, "--project", "admin")

    files = facts(at_server("set-aside", "list", "--json"))

    assert "letter.txt" in [file["file_name"] for file in files]
    assert at_server("set-aside", "delete", *(str(file["id"]) for file in files)).returncode == 0
    assert at_server("set-aside", "list").stdout == "Nothing is set aside.\n"


def test_a_server_that_is_not_there_is_named(hilum: Callable) -> None:
    ran = hilum("status", "--server", "http://127.0.0.1:9", HILUM_TOKEN="none")

    assert ran.returncode == 1
    assert "http://127.0.0.1:9" in ran.stderr
    assert "does not answer" in ran.stderr
