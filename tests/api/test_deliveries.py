"""Open uploads as a process remembers them: a bounded number of names, however many uploads are open."""

import asyncio

from tests.api.conftest import Site

from hilum.api import deliveries
from hilum.api.deliveries import Deliveries
from hilum.model.identity import SYSTEM

FILES = 3


def test_names_of_open_uploads_are_forgotten_beyond_a_bound_and_found_again(site: Site, uploading, monkeypatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_NAMES", 2 * FILES + 1)
    uploads = [uploading(site.project()) for _ in range(5)]
    for upload in uploads:
        for number in range(FILES):
            assert upload.put(f"{number}.dcm", b"%d" % number).status_code == 201
    remembered = Deliveries(site.app.intakes)

    async def look_at_all() -> list[int]:
        return [len((await remembered.find(SYSTEM, upload.id)).names) for upload in (*uploads, *uploads)]

    assert asyncio.run(look_at_all()) == [FILES] * 10
    assert sum(len(upload.names) for upload in remembered._open.values()) == 2 * FILES


def test_an_upload_with_more_names_than_the_bound_is_remembered_while_it_is_sent_to(site: Site, uploading, monkeypatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_NAMES", 1)
    upload = uploading(site.project())
    for number in range(FILES):
        upload.put(f"{number}.dcm", b"%d" % number)
    remembered = Deliveries(site.app.intakes)
    found = [asyncio.run(remembered.find(SYSTEM, upload.id)) for _ in range(2)]
    assert found[0] is found[1]
