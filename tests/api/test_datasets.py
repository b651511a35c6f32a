"""The label that a sender gives its studies."""

from pathlib import Path

import pytest
from tests.api.conftest import Site

from hilum.doors.upload_contract import Delivery, ReceivedFile, WholeBody
from hilum.doors.uploads import UploadDoor
from hilum.doors.zips import ArchiveLimits
from hilum.model.errors import InvalidError
from hilum.runtime.assembling import open_pool

TOO_LONG = "日" * 30  # six bytes each as JSON text


@pytest.mark.parametrize("label", [TOO_LONG, "x" * 65, "line\nbreak"])
def test_a_dataset_that_fits_no_pack_is_refused_before_any_byte(site: Site, label: str) -> None:
    client, project = site.client(), site.project()
    assert client.post("/uploads", json={"project": project, "dataset": label}).status_code == 422
    assert client.post("/uploads/archive", params={"project": project, "dataset": label}, content=b"PK").status_code == 422


def test_a_dataset_may_have_letters_of_any_script(site: Site) -> None:
    client, project = site.client(), site.project()
    upload = client.post("/uploads", json={"project": project, "dataset": "日本の研究"}).json()
    assert client.put(f"/uploads/{upload['id']}/files/a", content=b"x").status_code == 201


def test_a_body_that_cannot_be_noted_is_refused_alone(site: Site, tmp_path: Path) -> None:
    project = site.project()
    intakes = [site.client().post("/uploads", json={"project": project}).json()["id"] for _ in range(2)]
    with open_pool(site.app, "received") as pool:
        door = UploadDoor(pool, limits=ArchiveLimits(), scratch=tmp_path, clock=site.app.clock)
        good, bad = Delivery(intakes[0], project), Delivery(intakes[1], project, TOO_LONG)
        kept, refused, also_kept = door.keep_all(
            [WholeBody(good, "a", b"a", None), WholeBody(bad, "b", b"b", None), WholeBody(good, "c", b"c", None)]
        )
    assert isinstance(kept, ReceivedFile)
    assert isinstance(refused, InvalidError)
    assert isinstance(also_kept, ReceivedFile)
