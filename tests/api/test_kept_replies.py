"""Replies that are kept by an Idempotency-Key hold what they told: not for longer than needed."""

from datetime import timedelta

from sqlalchemy import select
from tests.api.conftest import Site

from hilum.stores.replies import Reply
from hilum.stores.schema import replies


def keys(site: Site) -> set[str]:
    with site.app.database.reading() as connection:
        return set(connection.scalars(select(replies.c.idempotency_key)))


def test_no_reply_to_a_search_is_kept(site: Site) -> None:
    found = site.client().post("/studies/search", json={}, headers={"idempotency-key": "search"})
    assert (found.status_code, "search" in keys(site)) == (200, False)


def test_a_reply_that_tells_of_a_deleted_study_is_forgotten(site: Site, shared_data, uploading) -> None:
    upload = uploading(site.project())
    for path in sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))[:2]:
        upload.put(path.name, path.read_bytes())
    study = upload.finish()["studies"][0]["id"]
    completed = upload.client.post(f"/uploads/{upload.id}/complete", headers={"idempotency-key": f"complete {study}"})
    assert (completed.status_code, f"complete {study}" in keys(site)) == (202, True)
    asked = {"json": {"reason": "wrong patient"}, "headers": {"idempotency-key": f"delete {study}"}}
    deleted = upload.client.request("DELETE", f"/studies/{study}", **asked)
    assert f"complete {study}" not in keys(site)
    again = upload.client.request("DELETE", f"/studies/{study}", **asked)
    assert (again.status_code, again.json()) == (200, deleted.json())


def test_old_replies_are_purged(site: Site) -> None:
    site.app.replies.keep("somebody", "old", bytes(32), Reply(200, "{}"))
    assert site.app.replies.purge(site.app.clock() + timedelta(seconds=1)) >= 1
    assert "old" not in keys(site)
