"""What the project holds already need not be sent again."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Site, Uploading


@pytest.fixture(scope="module")
def held(site: Site, uploading: Any, shared_data: Path) -> tuple[str, bytes]:
    """A project and an image that it holds."""
    upload: Uploading = uploading(site.project())
    image = min((shared_data / "ms_dicom/patient01/flair").glob("*.dcm")).read_bytes()
    upload.put("image", image)
    return upload.finish()["project"], image


def offered(name: str, body: bytes) -> dict[str, Any]:
    return {"name": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_a_held_file_under_a_name_that_stands_for_others_is_refused(uploading: Any, held: tuple[str, bytes]) -> None:
    project, image = held
    upload = uploading(project)
    upload.put("a", b"other bytes")
    reply = upload.client.post(f"/uploads/{upload.id}/offer", json={"files": [offered("a", image)]})
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/conflict")
    free = upload.client.post(f"/uploads/{upload.id}/offer", json={"files": [offered("b", image)]})
    assert (free.status_code, free.json()) == (200, {"wanted": []})


def test_a_study_that_is_not_sent_again_gets_the_label_all_the_same(uploading: Any, held: tuple[str, bytes]) -> None:
    project, image = held
    upload = uploading(project, dataset="second reading")
    upload.client.post(f"/uploads/{upload.id}/offer", json={"files": [offered("a", image)]})
    assert upload.finish()["studies"][0]["datasets"] == ["second reading"]
