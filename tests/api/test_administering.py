"""What administrators take back and look up."""

from typing import Any

from tests.api.conftest import Site


def test_a_revoked_token_opens_nothing(site: Site) -> None:
    client = site.client()
    made = client.post("/tokens", json={"name": "lost", "role": "viewer", "project": site.project()}).json()
    assert client.delete(f"/tokens/{made['id']}").status_code == 204
    assert site.client(made["token"]).get("/projects").status_code == 401
    assert client.delete("/tokens/none").status_code == 404


def test_what_was_deleted_is_listed_for_administrators(site: Site, uploading: Any, shared_data: Any) -> None:
    upload = uploading(site.project())
    image = min((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))
    upload.put("image", image.read_bytes())
    study = upload.finish()["studies"][0]["id"]
    upload.client.request("DELETE", f"/studies/{study}", json={"reason": "wrong patient"})
    stone = next(one for one in upload.client.get("/tombstones").json()["items"] if one["study"] == study)
    assert (stone["reason"], stone["number_of_instances"]) == ("wrong patient", 1)
