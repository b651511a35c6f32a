"""Verdicts and ratings over HTTP, and their CSV."""

import csv
import io
from typing import Any

import httpx
import pytest

from hilum.api.spreadsheets import to_csv
from hilum.model.identity import Role
from images import series_of

RATINGS = {
    "overall": 7,
    "minutes": 12.5,
    "structures": {
        "Parotid_L": {"rating": 8, "modification": "MINOR_MODIFICATION", "types": ["overlap", "holes-filled"]},
        "Spinal cord": 10,
    },
}


@pytest.fixture(scope="module")
def study(site, uploading) -> dict[str, Any]:
    """A study whose results wait for two reviewers, because of a figure of theirs."""
    limit = {"value": "series[*].intensity.median", "at_least": 1e9}
    review = {"policy": "on-quality", "quality": [limit], "four_eyes": True}
    template = {"name": "judged", "processing": [{"processor": "image_quality"}], "review": review, "deidentification": "keep"}
    assert site.client().post("/templates", json=template).status_code == 201
    upload = uploading(site.project(), report_type="judged")
    for name, body in series_of([1, 2, 3], PatientName="Secret^Person", PatientID="SECRET-1").items():
        upload.put(name, body)
    return upload.finish()["studies"][0]


@pytest.fixture(scope="module")
def ada(site, study) -> httpx.Client:
    return site.client(site.token(study["project"], Role.REVIEWER))


@pytest.fixture(scope="module")
def accepted(site, study, ada) -> str:
    """The id of the workitem after two people accepted it."""
    (workitem,) = ada.get("/workitems", params={"study": study["id"]}).json()["items"]
    assert (workitem["stage"], workitem["status"]) == ("reviewing", "held")
    assert "of image_quality.json is" in workitem["why"] and "Two people must accept it" in workitem["why"]
    path = f"/workitems/{workitem['id']}/review"
    refused = ada.post(path, json={"verdict": "accept", "ratings": {"structures": {"=1+1": 3}}})
    assert refused.status_code == 422
    assert ada.post(path, json={"verdict": "reject"}).status_code == 422
    first = ada.post(path, json={"verdict": "accept", "reason": "Secret Person looks well", "ratings": RATINGS}).json()
    assert (first["stage"], first["status"]) == ("reviewing", "held")
    assert ada.post(path, json={"verdict": "accept"}).status_code == 409
    site.work()
    viewer = site.client(site.token(study["project"], Role.VIEWER))
    assert viewer.get(f"/workitems/{workitem['id']}/artifacts").json()["items"] == []
    assert viewer.post(path, json={"verdict": "accept"}).status_code == 403
    assert site.client().post(path, json={"verdict": "accept", "ratings": {"cord": 3}}).json()["stage"] == "delivering"
    site.work()
    assert viewer.get(f"/workitems/{workitem['id']}/artifacts").json()["items"]
    return str(workitem["id"])


def test_every_verdict_is_in_the_history_and_listed(site, study, accepted, ada):
    moves = site.client().get(f"/studies/{study['id']}/timeline").json()["items"]
    assert [move["verb"] for move in moves if move["verb"] in ("countersign", "accept")] == ["countersign", "accept"]
    found = ada.get(f"/workitems/{accepted}/reviews").json()["items"]
    assert [one["verdict"] for one in found] == ["accept", "accept"]
    assert found[0]["ratings"]["structures"]["Spinal cord"] == {"rating": 10}
    assert ada.get("/reviews", params={"template": "judged", "limit": 1}).json()["items"] == found[:1]
    assert ada.get("/reviews", params={"template": "brain_ms"}).json()["items"] == []


def test_the_csv_of_ratings_has_a_row_a_structure_and_names_nobody(accepted, ada, study):
    reply = ada.get("/reviews.csv", params={"project": study["project"]})
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [(row["structure"], row["rating"], row["types"], row["reviewer"]) for row in rows] == [
        ("Parotid_L", "8.0", "overlap holes-filled", "1"),
        ("Spinal cord", "10.0", "", "1"),
        ("cord", "3.0", "", "2"),
    ]
    assert {row["workitem"] for row in rows} == {accepted}
    for secret in ("Secret", "SECRET-1", "administrator", "reviewer of", study["study_instance_uid"]):
        assert secret not in reply.text


def test_ratings_of_other_projects_are_not_exported(site, accepted):
    stranger = site.client(site.token(site.project(), Role.REVIEWER))
    assert len(stranger.get("/reviews.csv").text.splitlines()) == 1


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", " =", "\n="])
def test_no_cell_becomes_a_formula(begins):
    (line,) = to_csv([[f'{begins}HYPERLINK("http://x")', "plain", -1.5]])
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert row[0].startswith("'")
    assert row[1:] == ["plain", "-1.5"]
