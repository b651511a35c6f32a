"""What needs a person, for everybody within their projects."""

import pytest

from hilum.model.identity import Role


@pytest.fixture(scope="module")
def ward(site, uploading, shared_data):
    """A project with a held workitem, a study that matches nothing, and an upload without DICOM."""
    project = site.project()
    slices = sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))
    short = uploading(project, report_type="nifti")
    for path in (*slices[:16], *slices[17:]):
        short.put(path.name, path.read_bytes())
    short.finish()
    letters = uploading(project)
    letters.put("letter.txt", b"Dear colleague")
    letters.finish()
    return project, short, letters


def test_a_held_workitem_is_told_with_its_study_and_the_ways_on(site, ward):
    project, short, _ = ward
    (row,) = site.client().get(f"/waiting?project={project}").json()["items"]

    assert (row["kind"], row["stage"], row["status"], row["template"], row["project"]) == (
        "workitem", "deidentifying", "held", "nifti", project,
    )  # fmt: skip
    assert row["study"] == short.look()["studies"][0]["id"]
    assert row["study_instance_uid"] == short.look()["studies"][0]["study_instance_uid"]
    assert "Slice 17 is missing" in row["why"]
    assert row["ways"][0]["command"] == f"hilum upload FOLDER --project {project}"


def test_the_standing_of_a_project_is_for_those_who_read_in_it(site, ward):
    project, _, letters = ward
    viewer = site.client(site.token(project, Role.VIEWER))

    standing = viewer.get("/standing").json()

    assert {"kind": "workitem", "stage": "deidentifying", "status": "held", "number": 1} in standing["items"]
    assert {"kind": "intake", "stage": "importing", "status": "refused", "number": 1} in standing["items"]
    assert standing["need_a_person"] == 1
    assert standing["oldest"]["accession_number"] is None
    assert [(one["id"], one["why"]) for one in standing["refused"]] == [(letters.id, "No DICOMs found in the upload.")]


def test_another_project_sees_nothing_of_it(site, ward):
    stranger = site.client(site.token(site.project(), Role.ADMIN))

    assert stranger.get("/waiting").json()["items"] == []
    assert stranger.get(f"/waiting?project={ward[0]}").json()["items"] == []
    assert stranger.get("/standing").json() == {"items": [], "need_a_person": 0, "oldest": None, "refused": []}


def test_the_list_goes_on_where_it_stopped(site, ward, uploading, shared_data):
    client = site.client(site.token(ward[0], Role.OPERATOR))
    again = uploading(ward[0], report_type="image_quality")
    for path in sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))[:10:2]:
        again.put(path.name, path.read_bytes())
    again.finish()
    whole = client.get("/waiting").json()["items"]

    first = client.get("/waiting?limit=1").json()
    second = client.get(f"/waiting?limit=1000&cursor={first['next']}").json()

    assert first["items"] + second["items"] == whole
    assert len(whole) >= 2
