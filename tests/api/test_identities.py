"""What identifies a patient is for those who may see it."""

from typing import Any

import pytest
from tests.api.conftest import Site, Uploading

from hilum.model.identity import Role

NAMES = ["DOE^JANE/1.dcm", "DOE^JANE/2.dcm", "DOE^JANE/3.dcm"]


@pytest.fixture(scope="module")
def upload(site: Site, uploading: Any) -> Uploading:
    """Three files that are no images, under the name of a patient."""
    made: Uploading = uploading(site.project())
    for name in NAMES:
        assert made.put(name, name.encode()).status_code == 201
    made.finish()
    return made


def test_file_names_are_for_those_who_may_see_identities(site: Site, upload: Uploading) -> None:
    project = upload.look()["project"]
    paths = (f"/uploads/{upload.id}", f"/uploads/{upload.id}/files", f"/uploads/{upload.id}/files?limit=2", f"/set-aside?project={project}")
    for may_see in (True, False):
        client = site.client(site.token(project, Role.VIEWER, may_see_identity=may_see))
        assert ["DOE" in client.get(path).text for path in paths] == [may_see] * 4


def test_files_without_names_are_paged_by_no_name(site: Site, upload: Uploading) -> None:
    client = site.client(site.token(upload.look()["project"], Role.VIEWER))
    first = client.get(f"/uploads/{upload.id}/files?limit=2").json()
    last = client.get(f"/uploads/{upload.id}/files", params={"limit": 2, "cursor": first["next"]}).json()
    told = client.get(f"/uploads/{upload.id}/files").json()["items"]
    assert (first["items"] + last["items"], last["next"]) == (told, None)
    assert [file["name"] for file in told] == [file["sha256"][:12] for file in told]
    assert first["next"] == "Mg"  # 2


def test_what_was_set_aside_is_downloaded_by_those_who_may_see_identities(site: Site, upload: Uploading) -> None:
    project = upload.look()["project"]
    for may_see, status in ((False, 403), (True, 200)):
        client = site.client(site.token(project, Role.VIEWER, may_see_identity=may_see))
        one = client.get(f"/set-aside?project={project}").json()["items"][0]
        assert client.get(f"/set-aside/{one['id']}/content").status_code == status
