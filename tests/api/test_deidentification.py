"""Profiles, previews and reports over HTTP, and who sees which value."""

import uuid
from typing import Any

import pytest
from tests.api.conftest import Site

from hilum.model.identity import Role
from images import series_of

WHO = "Quixotella^Zephyrine"


@pytest.fixture(scope="module")
def project(site: Site) -> str:
    name = f"p{uuid.uuid4().hex[:10]}"
    assert site.client().post("/projects", json={"name": name}).status_code == 201
    return name


@pytest.fixture(scope="module")
def study(site: Site, uploading: Any, project: str) -> dict[str, Any]:
    """A study that was de-identified by `basic`."""
    template = {"name": f"t{uuid.uuid4().hex[:10]}", "active": False, "processing": [{"processor": "image_quality"}]}
    made = site.client().post("/templates", json=template)
    assert (made.status_code, made.json()["deidentification"]) == (201, "basic")
    upload = uploading(project, report_type=template["name"])
    for name, body in series_of(range(1, 5), PatientName=WHO, ReferringPhysicianName="Wunderlichter").items():
        upload.put(name, body)
    found: dict[str, Any] = upload.finish()["studies"][0]
    return found


def test_a_new_project_has_a_key_and_a_template_without_a_profile_has_basic(site: Site, study: dict[str, Any]) -> None:
    (workitem,) = site.client().get(f"/workitems?study={study['id']}").json()["items"]
    assert workitem["status"] == "finished", workitem["why"]
    report = site.client().get(f"/workitems/{workitem['id']}/deidentification").json()
    assert (report["profile"], report["instances"], report["changed"]) == ("basic", 4, True)
    assert {"attribute": "PatientBirthDate"}.keys() <= report["attributes"][0].keys()
    assert report["key"] == workitem["provenance"]["deidentification"]["key"]
    assert "Quixotella" not in str(report) + str(workitem)


def test_a_template_names_a_known_profile_or_is_refused(site: Site) -> None:
    template = {"name": "nobody_s", "processing": [{"processor": "image_quality"}], "deidentification": "theirs"}
    reply = site.client().post("/templates", json=template)
    assert reply.status_code == 422
    assert "no de-identification profile 'theirs'" in reply.json()["detail"]
    assert "basic, keep, research" in reply.json()["mend"]


@pytest.mark.parametrize("may_see", [True, False])
def test_a_preview_tells_every_element_and_values_to_those_only_who_may_see_them(
    site: Site, project: str, study: dict[str, Any], may_see: bool
) -> None:
    client = site.client(site.token(project, Role.VIEWER, may_see_identity=may_see))
    series = client.get(f"/series?study={study['id']}").json()["items"][0]["id"]
    shown = client.get(f"/series/{series}/deidentification?profile=research").json()
    assert (shown["outcome"], shown["profile"], shown["more"]) == ("rewritten", "research", 0)
    by_path = {one["path"]: one for one in shown["elements"]}
    name, number = by_path["PatientName"], by_path["InstanceNumber"]
    assert (name["vr"], name["tag"], name["changed"], number["changed"]) == ("PN", "(0010,0010)", True, False)
    assert name["reason"]
    assert (name["before"] == WHO) is may_see
    assert ("Quixotella" in str(shown)) is may_see
    assert may_see or all(one["before"] is None and one["after"] is None for one in shown["elements"])


def test_a_preview_of_what_would_be_held_says_why(site: Site, uploading: Any, project: str) -> None:
    upload = uploading(project)
    for name, body in series_of([1], study="1.2.826.9", BurnedInAnnotation="YES").items():
        upload.put(name, body)
    study = upload.finish()["studies"][0]["id"]
    client = site.client()
    series = client.get(f"/series?study={study}").json()["items"][0]["id"]
    shown = client.get(f"/series/{series}/deidentification").json()
    assert (shown["outcome"], "Burned In Annotation" in shown["why"]) == ("held", True)


def test_previews_of_what_is_not_there_are_told_so(site: Site, study: dict[str, Any]) -> None:
    client = site.client()
    series = client.get(f"/series?study={study['id']}").json()["items"][0]["id"]
    assert client.get(f"/series/{series}/deidentification?profile=theirs").status_code == 404
    assert client.get(f"/series/{series}/deidentification?instance=1.2.3").status_code == 404
    assert client.get(f"/workitems/{uuid.uuid4()}/deidentification").status_code == 404


def test_profiles_are_listed_with_what_they_say(site: Site) -> None:
    listed = {one["name"]: one for one in site.client().get("/profiles").json()["items"]}
    assert {"basic", "research", "keep"} <= listed.keys()
    assert "retain-modified-dates" in listed["research"]["options"]
    assert site.client().get("/profiles/basic").json() == listed["basic"]
