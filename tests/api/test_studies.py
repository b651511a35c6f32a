"""Studies, series, templates, workitems, items, results and the log over HTTP, on a real study."""

import hashlib
import html
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest

from hilum.model.identity import Role
from hilum.runtime.picturing import Picturing


@pytest.fixture(scope="module")
def study(site, uploading, shared_data: Path) -> dict[str, Any]:
    """`ms_dicom/patient01` through brain_ms."""
    upload = uploading(site.project(), report_type="brain_ms", dataset="trial")
    for path in sorted((shared_data / "ms_dicom/patient01").rglob("*.dcm")):
        upload.put(f"{path.parent.name}/{path.name}", path.read_bytes())
    found = upload.finish()
    assert found["outcome"] == "succeeded", found
    return found["studies"][0]


@pytest.fixture
def held(site, uploading, shared_data: Path) -> dict[str, Any]:
    """The upload of a FLAIR series without its slice 17."""
    upload = uploading(site.project(), report_type="nifti")
    slices = sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))
    for path in (*slices[:16], *slices[17:]):
        upload.put(path.name, path.read_bytes())
    return upload.finish()


def test_a_study_is_found_by_each_of_its_names(site, study):
    client = site.client()
    for key in ("study_instance_uid", "patient_id", "accession_number"):
        for found in (
            client.get("/studies", params={"project": study["project"], key: study[key]}),
            client.post("/studies/search", json={"project": study["project"], key: study[key]}),
        ):
            assert [one["id"] for one in found.json()["items"]] == [study["id"]]
    assert client.get(f"/studies/{study['study_instance_uid']}", headers={}).status_code in (200, 404)  # several projects may hold it
    assert client.get("/studies", params={"project": study["project"], "text": "Vera"}).json()["items"]
    assert client.get("/studies", params={"project": study["project"], "text": "V%a"}).json()["items"] == []
    assert client.get("/studies", params={"patientid": "x"}).status_code == 422


def test_a_study_has_the_shape_that_scripts_rely_on(site, study):
    found = site.client().get(f"/studies/{study['id']}").json()
    promised = (
        "id project dataset datasets revision study_instance_uid patient_id accession_number stage status why "
        "number_of_series number_of_instances report_types workitems"
    )
    assert set(promised.split()) <= found.keys()
    assert (found["dataset"], found["report_types"], found["number_of_instances"]) == ("trial", ["brain_ms"], 75)
    assert found["created_at"].endswith("Z")


def test_lists_go_on_where_they_stopped(site, study):
    client = site.client()
    for path in ("/log", "/workitems", "/series", "/studies", "/set-aside"):
        whole = client.get(path, params={"limit": 1000}).json()["items"][:7]
        walked, cursor = [], ""
        while len(walked) < len(whole):
            page = client.get(path, params={"limit": 2, "cursor": cursor}).json()
            walked += page["items"]
            cursor = page["next"] or ""
        assert walked[: len(whole)] == whole, path
        assert client.get(path, params={"cursor": "nonsense"}).status_code == 422
        assert client.get(path, params={"limit": 10**9}).status_code == 422


def test_why_tells_where_since_when_and_every_move(site, study):
    client = site.client()
    why = client.get(f"/studies/{study['id']}/why").json()
    assert "is delivered" in why["sentence"]
    assert [item["kind"] for item in why["items"]] == ["study", "workitem"]
    moves = client.get(f"/studies/{study['id']}/timeline").json()["items"]
    assert moves == why["moves"]
    stages = list(dict.fromkeys(move["from_stage"] for move in moves))
    assert stages == ["importing", "gathering", "checking", "matching", "deidentifying", "processing", "reviewing", "delivering"]
    assert all(move["why"] and move["who"] for move in moves)


def test_a_held_study_names_the_slice_and_goes_on_when_a_person_says_so(site, held):
    client = site.client()
    assert (held["step"], held["outcome"]) == ("Processing", "held")
    (reason,) = held["held"]
    assert "17" in reason["sentence"]
    report = client.get(f"/studies/{reason['study']}/findings").json()
    findings = report["items"]
    assert (
        report["counts"]["instances"]
        == report["counts"]["valid"] + report["counts"]["invalid"]
        == sum(one["counts"]["instances"] for one in report["series"])
    )
    page = client.get(f"/studies/{reason['study']}/findings.html")
    assert page.headers["content-type"].startswith("text/html") and findings[0]["sentence"] in html.unescape(page.text)
    assert [one["check"] for one in findings if one["severity"] == "error"] == ["missing-slices"]
    assert findings[0]["sentence"] in reason["sentence"]
    assert "It waits for a person" in client.get(f"/studies/{reason['study']}/why").json()["sentence"]
    assert client.post(f"/items/{reason['workitem']}/retry", json={"reason": "the gap is known"}).json()["status"] == "ready"
    assert client.get(f"/uploads/{held['id']}").json()["outcome"] is None  # null again on release
    site.work()
    assert client.get(f"/uploads/{held['id']}").json()["outcome"] == "succeeded"


def test_items_are_sent_back_and_cancelled(site, held):
    client, workitem = site.client(), held["held"][0]["workitem"]
    assert client.post(f"/items/{workitem}/send-back", json={"stage": "delivering"}).status_code == 409
    assert client.post(f"/items/{workitem}/send-back", json={"stage": "nowhere"}).status_code == 422
    assert client.post(f"/items/{workitem}/cancel", json={"reason": "not needed"}).json()["status"] == "cancelled"
    assert client.post(f"/items/{workitem}/cancel").status_code == 409
    (row,) = client.get("/log", params={"item": workitem, "verb": "cancel"}).json()["items"]
    assert (row["why"], row["who"]) == ("not needed", "administrator")


def test_series_tell_their_status_and_why_rules_hold(site, study):
    client = site.client()
    series = client.get(f"/series?study={study['id']}").json()["items"]
    assert client.get(f"/studies/{study['id']}/series").json()["items"] == series
    assert {(one["series_status"], one["series_state"], one["step"]) for one in series} == {("RTSTRUCT_EXPORTED", "COMPLETE", "Finished")}
    assert {one["series_status_meaning"] for one in series} == {"Results are delivered."}
    pending = client.get(f"/series/{series[0]['id']}/thumbnail.png")
    while Picturing(site.app).draw_wanted():
        pass
    picture = client.get(f"/series/{series[0]['id']}/thumbnail.png")
    assert (pending.status_code, picture.status_code) == (202, 200)
    assert {pending.headers["content-type"], picture.headers["content-type"]} == {"image/png"}
    assert (pending.headers["hilum-picture"], picture.headers["hilum-picture"]) == ("pending", "picture")
    stranger = site.client(site.token(site.project(), Role.VIEWER))
    assert stranger.get(f"/series/{series[0]['id']}/thumbnail.png").status_code == 404
    assert set(client.get("/series-statuses").json()["statuses"]) >= {one["series_status"] for one in series}
    flair = next(one for one in series if one["description"] == "FLAIR")
    assert client.get(f"/series/{flair['id']}").json() == flair
    explained = {one["template"]: one for one in client.get(f"/series/{flair['id']}/explain").json()["templates"]}
    roles = {rule["role"]: rule for rule in explained["brain_ms"]["rules"]}
    assert (roles["flair"]["holds"], roles["t1"]["holds"]) == (True, False)
    assert "wanted" in json.dumps(roles["t1"]["parts"])


def test_a_series_that_no_role_takes_does_not_fit_though_the_template_s_own_rule_holds(site, study):
    client, name = site.client(), f"t{uuid.uuid4().hex[:8]}"
    asked = {"attribute": "SeriesDescription", "operator": "equals", "value": "nowhere"}
    template = {
        "name": name,
        "processing": [{"processor": "dcm2niix"}],
        "rule": {"attribute": "Modality", "operator": "equals", "value": "MR"},
        "required_series": [{"role": "t1", "name": "T1", "rule": asked}],
    }
    assert client.post("/templates", json=template).status_code == 201
    one = client.get(f"/series?study={study['id']}").json()["items"][0]
    explained = {one["template"]: one for one in client.get(f"/series/{one['id']}/explain").json()["templates"]}
    rules = {rule["role"]: rule["holds"] for rule in explained[name]["rules"]}
    assert (rules, explained[name]["holds"], explained[name]["failing"]) == ({None: True, "t1": False}, False, 1)
    client.put(f"/templates/{name}", json=template | {"active": False})


def test_a_series_is_assigned_by_hand_once(site, study):
    client = site.client()
    flair = next(one["id"] for one in client.get(f"/series?study={study['id']}").json()["items"] if one["description"] == "FLAIR")
    reply = client.post("/series/assign", json={"series": [flair], "template": "nifti"})
    (sent,) = reply.json()["items"]
    assert (reply.status_code, sent["series"]) == (201, flair)
    assert client.post("/series/assign", json={"series": [flair], "template": "nifti"}).status_code == 409
    assert client.post("/series/assign", json={"series": [flair], "template": "none"}).status_code == 404
    site.work()
    workitem = client.get(f"/workitems/{sent['workitem']}").json()
    assert (workitem["status"], workitem["inputs"]) == ("finished", [{"series": flair, "role": ""}])


def test_results_are_downloaded_bit_equal_and_never_shown(site, study):
    client = site.client()
    artifacts = client.get(f"/workitems/{study['workitems'][0]['id']}/artifacts").json()["items"]
    assert {artifact["media_type"] for artifact in artifacts} >= {"application/pdf", "image/png"}
    for artifact in artifacts:
        reply = client.get(f"/artifacts/{artifact['id']}/content")
        assert hashlib.sha256(reply.content).hexdigest() == artifact["sha256"]
        assert int(reply.headers["content-length"]) == artifact["size"]
        assert reply.headers["content-disposition"] == f"attachment; filename=\"{artifact['name']}\"; filename*=UTF-8''{artifact['name']}"
        assert reply.headers["x-content-type-options"] == "nosniff"
        again = client.get(f"/artifacts/{artifact['id']}/content", headers={"if-none-match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_results_wait_for_their_reviewer(site, uploading, shared_data):
    client, project = site.client(), site.project()
    definition = client.get("/templates/nifti").json() | {"name": f"judged-{project}", "review": "always", "active": False}
    assert client.post("/templates", json=definition).status_code == 201
    upload = uploading(project, report_type=definition["name"])
    for path in (shared_data / "ms_dicom/patient01/flair").glob("*.dcm"):
        upload.put(path.name, path.read_bytes())
    found = upload.finish()
    assert (found["step"], found["outcome"]) == ("QualityControl", "held")
    workitem = found["held"][0]["workitem"]
    viewer, reviewer = (site.client(site.token(project, role)) for role in (Role.VIEWER, Role.REVIEWER))
    (first, *_) = reviewer.get(f"/workitems/{workitem}/artifacts").json()["items"]
    assert viewer.get(f"/workitems/{workitem}/artifacts").json()["items"] == []
    assert viewer.get(f"/artifacts/{first['id']}/content").status_code == 404
    assert client.post(f"/items/{workitem}/retry").status_code == 409  # only a verdict lets it go on
    assert reviewer.post(f"/workitems/{workitem}/review", json={"verdict": "reject"}).status_code == 422
    assert reviewer.post(f"/workitems/{workitem}/review", json={"verdict": "accept"}).json()["stage"] == "delivering"
    site.work()
    assert viewer.get(f"/workitems/{workitem}/artifacts").json()["items"]
    assert upload.look()["outcome"] == "succeeded"


def test_a_template_that_cannot_work_is_refused_with_the_field(site):
    client = site.client()
    good = client.get("/templates/nifti").json()
    wrong = {
        "processing": {"processing": []},
        "processor": {"processing": [{"processor": "magic"}]},
        "severities": {"severities": {"missing-slices": "fatal"}},
        "attribute": {"required_attributes": [{"attribute": "NoSuchKeyword"}]},
    }
    for field, change in wrong.items():
        reply = client.post("/templates", json=good | {"name": "wrong"} | change)
        assert (reply.status_code, field in reply.json()["detail"]) == (422, True), reply.text
    assert client.post("/templates", json=good).status_code == 409
    assert client.put("/templates/none", json=good).status_code == 404
    changed = client.put("/templates/image_quality", json=client.get("/templates/image_quality").json() | {"description": "changed"})
    assert (changed.json()["version"], changed.json()["description"]) == (2, "changed")
    assert client.get("/templates/image_quality?version=1").json()["description"] != "changed"


def test_a_study_is_deleted_with_a_reason_and_gone_at_once(site, uploading, shared_data):
    client, upload = site.client(), uploading(site.project(), report_type="nifti")
    for path in (shared_data / "ms_dicom/patient01/flair").glob("*.dcm"):
        upload.put(path.name, path.read_bytes())
    study = upload.finish()["studies"][0]["id"]
    assert client.request("DELETE", f"/studies/{study}", json={}).status_code == 422
    reply = client.request("DELETE", f"/studies/{study}", json={"reason": "withdrawn"})
    assert (reply.status_code, reply.json()["number_of_instances"]) == (200, 36)
    for path in (f"/studies/{study}", f"/studies/{study}/why", f"/studies/{study}/series"):
        assert client.get(path).status_code == 404
    assert client.get(f"/workitems?study={study}").json()["items"] == []
    assert client.get(f"/series?study={study}").json()["items"] == []
    assert upload.look()["errors"] == ["Its studies were deleted."]


def test_what_was_set_aside_is_deleted(site, uploading):
    upload = uploading(site.project())
    upload.put("junk", b"junk")
    project = upload.finish()["project"]
    (one,) = upload.client.get(f"/set-aside?project={project}").json()["items"]
    assert upload.client.delete(f"/set-aside/{one['id']}").status_code == 204
    assert upload.client.get(f"/set-aside?project={project}").json()["items"] == []
    assert upload.client.get(f"/set-aside/{one['id']}/content").status_code == 404


# --- what stands around -------------------------------------------------------------------------------------------------------


def test_tokens_and_users_come_in_and_expire(site):
    client, project = site.client(), site.project()
    made = client.post("/tokens", json={"name": "script", "role": "viewer", "project": project}).json()
    assert site.client(made["token"]).get("/projects").json()["items"][0]["name"] == project
    late = {"name": "late", "role": "viewer", "project": project, "expires_at": "2020-01-01T00:00:00Z"}
    assert site.client(client.post("/tokens", json=late).json()["token"]).get("/projects").status_code == 401
    user = {"name": f"nurse-{project}", "password": "a long passphrase", "role": "operator", "project": project}
    assert client.post("/users", json=user).status_code == 201
    assert client.post("/users", json=user).status_code == 409
    anybody = site.client(None)
    assert anybody.get("/projects", auth=(user["name"], user["password"])).status_code == 200
    assert anybody.get("/projects", auth=(user["name"], "another passphrase")).status_code == 401
    assert anybody.get("/projects", auth=("anything", made["token"])).status_code == 200
    assert anybody.get("/projects", headers={"authorization": "Basic ???"}).status_code == 401


def test_another_sites_page_cannot_change_anything(site):
    reply = site.client().post("/projects", json={"name": "x"}, headers={"sec-fetch-site": "cross-site"})
    assert reply.status_code == 403


def test_projects_are_made_and_listed(site):
    client = site.client()
    assert client.post("/projects", json={"name": "a name"}).status_code == 422
    assert client.post("/projects", json={"name": "a_project_of_20_chars"}).status_code == 422  # needs an AE title
    made = client.post("/projects", json={"name": "trial_7", "ae_title": "TRIAL7", "retention_days": 30}).json()
    assert client.get("/projects/trial_7").json() == made
    assert client.post("/projects", json={"name": "trial_7"}).status_code == 409


def test_every_kind_of_error_is_a_problem(site):
    client = site.client()
    for reply, status in (
        (client.get("/nowhere"), 404),
        (client.get(f"{site.url}/nowhere"), 404),
        (client.put("/projects"), 405),
        (client.post("/projects", content=b"{"), 422),
        (client.get("/studies/none"), 404),
    ):
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
        problem = reply.json()
        assert problem["status"] == status
        assert all(problem[key] for key in ("type", "title", "detail", "mend")), problem


def test_a_surprise_tells_nothing_of_what_was_sent(site, monkeypatch, caplog):
    def surprise(*_: object) -> None:
        raise RuntimeError("".join(("Ve", "ra")))  # not as it stands in this line, which the log may show

    monkeypatch.setattr(type(site.app.catalogue), "find_study", surprise)
    reply = site.client().get("/studies/secret-accession")
    assert (reply.status_code, reply.json()["type"]) == (500, "/problems/internal")
    assert "RuntimeError" in caplog.text
    assert "Vera" not in reply.text + caplog.text
    assert "secret-accession" not in caplog.text


def test_the_access_log_names_no_query_and_no_file(site, uploading, caplog):
    caplog.set_level("INFO", "hilum.access")
    upload = uploading(site.project())
    upload.put("Vera_Ljubljana.dcm", b"x")
    upload.put("Vera_Ljubljana.dcm", b"other bytes")
    upload.client.get("/studies?patient_id=MS-0001")
    assert "PUT /api/v1/uploads/{upload_id}/files/{name:path} 409" in caplog.text
    assert "{name:path} 201" not in caplog.text  # the ledger has a row of each file that is kept
    lines = [record.getMessage() for record in caplog.records if record.name == "hilum.access"]
    assert not any("Vera" in line or "MS-0001" in line for line in lines)


def test_metrics_count_without_identities(site, study):
    text = site.client().get("/metrics").text
    assert 'hilum_items{kind="study",stage="matching",status="finished"}' in text
    assert "hilum_received_bytes_total" in text
    assert 'route="/api/v1/uploads/{upload_id}/files/{name:path}"' in text
    assert study["id"] not in text
    assert study["patient_id"] not in text


def test_openapi_describes_every_route(site):
    document = site.client().get("/openapi.json").json()
    assert {"put"} == document["paths"]["/api/v1/uploads/{upload_id}/files/{name}"].keys()
    assert {"post"} == document["paths"]["/api/v1/uploads/archive"].keys()
    assert all(operation["description"] for path in document["paths"].values() for operation in path.values())


def test_moves_are_told_as_they_happen(site, uploading):
    project = site.project()
    with site.client().stream("GET", f"/events?project={project}") as events:
        lines = events.iter_lines()
        assert next(lines) == ": listening"
        upload = uploading(project)
        found = dict(line.split(": ", 1) for line in (next(line for line in lines if line) for _ in range(3)))
    assert found["event"] == "move"
    assert json.loads(found["data"])["item"] == upload.id


def test_silent_connections_keep_nobody_out(site):
    port = int(site.url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        assert site.client().get("/projects").status_code == 200
    finally:
        for connection in silent:
            connection.close()
