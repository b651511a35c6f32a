"""Checks over HTTP: the list, running them again, accepting and clearing; counts that are announced, proofs that a project names."""

import pytest

from hilum.model.identity import Role
from images import series_of

GAP = [1, 2, 3, 5, 6, 7]


@pytest.fixture
def held(site, uploading):
    """A study without its slice 4."""
    upload = uploading(site.project(), report_type="nifti")
    for name, body in series_of(GAP).items():
        upload.put(name, body)
    (study,) = upload.finish()["studies"]
    return study


def findings(site, study, check):
    found = site.client().get(f"/studies/{study['id']}/findings").json()["items"]
    return [one for one in found if one["check"] == check]


def test_every_check_is_listed_with_what_it_means_and_what_to_do(site):
    listed = site.client().get("/checks").json()["items"]
    assert {"missing-slices", "module-conformance", "decodable-pixels"} <= {one["kind"] for one in listed}
    assert all(one["meaning"] and one["mend"] for one in listed)


def test_an_accepted_finding_weighs_nothing_when_the_checks_run_again(site, held):
    client = site.client()
    body = {"project": held["project"], "check": "missing-slices", "reason": "The scanner skips it."}
    made = client.post("/acceptances", json=body)
    assert made.status_code == 201, made.text
    assert [one["id"] for one in client.get("/acceptances", params={"project": held["project"]}).json()["items"]] == [made.json()["id"]]
    assert client.post(f"/studies/{held['id']}/checks").json()["stage"] == "checking"
    site.work()
    (finding,) = findings(site, held, "missing-slices")
    assert finding["severity"] == "info"
    assert "The scanner skips it." in finding["sentence"]
    assert client.delete(f"/acceptances/{made.json()['id']}").status_code == 204


def test_findings_are_cleared(site, held):
    assert site.client().delete(f"/studies/{held['id']}/findings").json()["cleared"] > 0
    assert findings(site, held, "missing-slices") == []


def test_a_reader_changes_none_of_it_and_a_stranger_sees_none_of_it(site, held):
    reader = site.client(site.token(held["project"], Role.VIEWER))
    stranger = site.client(site.token(site.project(), Role.OPERATOR))
    body = {"project": held["project"], "check": "missing-slices", "reason": "x"}
    for client, status in ((reader, 403), (stranger, 404)):
        assert client.post("/acceptances", json=body).status_code == status
        assert client.post(f"/studies/{held['id']}/checks").status_code == status
        assert client.delete(f"/studies/{held['id']}/findings").status_code == status
    assert stranger.get("/acceptances", params={"project": held["project"]}).json()["items"] == []


def test_an_unknown_check_or_proof_is_refused_with_those_that_exist(site, held):
    client = site.client()
    refused = client.post("/acceptances", json={"project": held["project"], "check": "no-such", "reason": "x"})
    assert refused.status_code == 422
    assert "missing-slices" in refused.text
    refused = client.post("/projects", json={"name": "proofless", "accepts": {"proofs": ["no-such"]}})
    assert refused.status_code == 422
    assert "upload-completed" in refused.text
    made = client.post("/projects", json={"name": "proven", "accepts": {"proofs": ["upload-completed"]}})
    assert made.json()["accepts"] == {"proofs": ["upload-completed"]}


def test_the_last_slice_is_missed_where_its_count_is_given_at_the_end_of_the_upload(site, uploading):
    upload = uploading(site.project(), report_type="nifti")
    for name, body in series_of(range(1, 6)).items():
        upload.put(name, body)
    upload.complete(expected_counts={"1.2.826.1.1": 6})
    site.work()
    (study,) = upload.look()["studies"]
    (finding,) = findings(site, study, "missing-slices")
    assert finding["sentence"].startswith("Slice 6 is missing")
