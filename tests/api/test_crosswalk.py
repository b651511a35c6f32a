"""The crosswalk and the direction of a project in the API and on the command line."""

import json
import logging
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.api.conftest import Site

from hilum.cli import main
from hilum.deidentification.subjects import Subject
from hilum.model.crosswalk import Named, Original, Sealer
from hilum.model.identity import Role
from hilum.model.keys import ProjectKey
from hilum.runtime.keys import open_keys
from hilum.runtime.profiles import find_profile
from hilum.stores.crosswalk import keep_rows
from hilum.stores.schema import projects

STUDY, UID = "0b9d9d3e-0000-4000-8000-000000000001", "1.2.826.0.1.3680043.99.7777"
PATIENT = {"PatientName": "Plantée^Zoë", "PatientID": "ZQ7-0815"}


class Ward:
    """A project whose crosswalk knows one patient and one series."""

    def __init__(self, site: Site) -> None:
        self.site, self.name = site, site.project()
        keys = open_keys(site.app.settings)
        subject = self.subject(keys.create(self.name))
        self.patient, self.series = subject.patient_pseudonym, subject.replace_uid(UID)
        sealer = Sealer(keys.find(self.name)[-1], self.name, STUDY)
        rows = [sealer.seal(Original(Named.PATIENT, self.patient, values=PATIENT)), sealer.seal(Original(Named.SERIES, self.series, UID))]
        with site.app.database.writing() as connection:
            project_id = connection.execute(select(projects.c.id).where(projects.c.name == self.name)).scalar_one()
            keep_rows(connection, project_id, rows)

    def subject(self, key: ProjectKey) -> Subject:
        return Subject(key, find_profile(self.site.app.settings, "basic"), "WARD\0ZQ7-0815", (), ())

    def client(self, role: Role, *, may_see_identity: bool = True) -> httpx.Client:
        return self.site.client(self.site.token(self.name, role, may_see_identity=may_see_identity))

    def direct(self, reidentification: str, client: httpx.Client | None = None) -> httpx.Response:
        asked = {"reidentification": reidentification}
        return (client or self.client(Role.ADMIN)).post(f"/projects/{self.name}/direction", json=asked)

    def look_up(self, pseudonym: str, client: httpx.Client | None = None) -> httpx.Response:
        return (client or self.client(Role.VIEWER)).get("/crosswalk", params={"project": self.name, "pseudonym": pseudonym})

    def search(self, client: httpx.Client | None = None, **wanted: Any) -> httpx.Response:
        return (client or self.client(Role.VIEWER)).post("/crosswalk/search", json={"project": self.name, **wanted})


@pytest.fixture
def ward(site: Site) -> Ward:
    return Ward(site)


def test_a_pseudonym_is_looked_up_where_the_project_allows_it(ward: Ward) -> None:
    refused = ward.look_up(ward.patient)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert ward.direct("allowed").json()["reidentification"] == "allowed"
    assert ward.look_up(ward.patient).json()["items"] == [{"named": "patient", "pseudonym": ward.patient, "uid": None, "values": PATIENT}]
    assert ward.look_up(ward.series).json()["items"] == [{"named": "series", "pseudonym": ward.series, "uid": UID, "values": {}}]
    assert ward.look_up("2.25.404").json() == {"items": [], "next": None}


def test_the_pseudonyms_of_an_original_are_found_whatever_the_direction(ward: Ward) -> None:
    assert ward.search(uid=UID).json()["items"] == [{"pseudonym": ward.series}]
    assert ward.search(patient_id="ZQ7-0815", issuer_of_patient_id="WARD").json()["items"] == [{"pseudonym": ward.patient}]
    assert ward.search(patient_id="ZQ7-0815").json()["items"] == []  # of another issuer
    assert ward.search(patient_id="ZQ7-0815", uid=UID).status_code == 422


def test_who_may_not_see_identities_is_refused_everywhere(ward: Ward) -> None:
    ward.direct("allowed")
    blind = ward.client(Role.ADMIN, may_see_identity=False)
    assert {ward.look_up(ward.patient, blind).status_code, ward.search(blind, uid=UID).status_code} == {403}
    assert ward.direct("never", blind).status_code == 403
    assert ward.direct("never", ward.client(Role.BUILDER)).status_code == 403


def test_for_somebody_of_another_project_there_is_no_such_project(ward: Ward, site: Site) -> None:
    stranger = site.client(site.token(site.project(), Role.ADMIN, may_see_identity=True))
    asked = (ward.look_up(ward.patient, stranger), ward.search(stranger, uid=UID), ward.direct("allowed", stranger))
    assert {reply.status_code for reply in asked} == {404}
    assert stranger.post("/crosswalk/search", json={"project": "../../etc", "uid": UID}).status_code == 422


def test_a_missing_key_is_told_with_the_mend(ward: Ward, site: Site) -> None:
    ward.direct("allowed")
    (site.app.settings.keys_folder / f"{ward.name}.keys").unlink()
    reply = ward.look_up(ward.patient)
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/missing-key")
    assert f"Bring {ward.name}.keys back" in reply.json()["mend"]


def test_every_question_is_logged_and_no_answer(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    ward.direct("allowed")
    with caplog.at_level(logging.INFO):
        ward.look_up(ward.patient)
        ward.search(patient_id="ZQ7-0815", issuer_of_patient_id="WARD")
    assert f"looked up pseudonym {ward.patient} of project {ward.name}: 1 found" in caplog.text
    assert f"asked for the pseudonyms of an original of project {ward.name}: 1 found" in caplog.text
    assert "ZQ7" not in caplog.text


def test_the_command_line_directs_a_project_and_looks_up(
    ward: Ward, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HILUM_TOKEN", site.token(ward.name, Role.ADMIN, may_see_identity=True))

    def run(*words: str) -> str:
        assert main([*words, "--server", site.url]) == 0
        return capsys.readouterr().out

    assert "allowed" in run("project", "direct", ward.name, "--reidentification", "allowed")
    assert "Plantée^Zoë" in run("crosswalk", "look-up", ward.patient, "--project", ward.name)
    found = json.loads(run("crosswalk", "search", "--uid", UID, "--project", ward.name, "--json"))
    assert found == [{"pseudonym": ward.series}]
    assert main(["crosswalk", "look-up", "2.25.404", "--project", ward.name, "--server", site.url]) == 1


def test_a_lost_key_is_given_up_on_the_command_line_by_an_administrator(
    ward: Ward, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.direct("allowed")
    (key,) = open_keys(site.app.settings).find(ward.name)
    asked = {"project": ward.name, "key": key.id, "reason": "The disk burnt."}
    assert ward.client(Role.ADMIN).post("/crosswalk/give-up", json=asked).status_code == 409  # it is there
    (site.app.settings.keys_folder / f"{ward.name}.keys").unlink()
    assert f"give-up {key.id}" in ward.look_up(ward.patient).json()["mend"]
    assert ward.client(Role.BUILDER).post("/crosswalk/give-up", json=asked).status_code == 403
    monkeypatch.setenv("HILUM_TOKEN", site.token(ward.name, Role.ADMIN))
    assert main(["crosswalk", "give-up", key.id, "--project", ward.name, "--reason", "The disk burnt.", "--server", site.url]) == 0
    assert "2 rows removed" in capsys.readouterr().out
    assert ward.look_up(ward.patient).json()["items"] == []
