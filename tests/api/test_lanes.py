"""What waits for the ledger's one writer holds up nothing else; who would wait too long is told to come again."""

import asyncio
import threading

import httpx
import pytest
from tests.api.conftest import Site

from hilum.api.lanes import Lane
from hilum.api.problems import BusyError

MANY = 60
PATIENCE = 10.0


def test_health_readiness_pages_and_reading_answer_while_every_change_waits_for_the_disk(site: Site) -> None:
    writer = site.app.database._lock
    assert writer is not None
    status: list[int] = []

    def change(client: httpx.Client, number: int) -> None:
        status.append(client.post("/projects", json={"name": f"waiting-{number}"}).status_code)

    clients = [site.client() for _ in range(MANY)]
    threads = [threading.Thread(target=change, args=(client, number)) for number, client in enumerate(clients)]
    with writer.held():
        for thread in threads:
            thread.start()
        reader = site.client()
        root = str(reader.base_url).split("/api")[0]
        for path in ("/health", "/ready", "/studies", "/api/v1/studies", "/api/v1/projects"):
            assert reader.get(root + path, timeout=PATIENCE).status_code == 200, path
        assert reader.post("/studies/search", json={}, timeout=PATIENCE).status_code == 200, "a question with a body"
        assert status == []
    for thread in threads:
        thread.join(60)
    assert status == [201] * MANY


def test_a_full_lane_refuses_at_once_and_takes_again_when_there_is_room() -> None:
    lane, go_on = Lane("test", 1, 1), threading.Event()

    async def crowd() -> tuple[bool, bool]:
        running, waiting = (asyncio.ensure_future(lane.run(go_on.wait, PATIENCE)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await lane.run(go_on.wait)
        go_on.set()
        await asyncio.gather(running, waiting)
        return await lane.run(go_on.is_set), True

    assert asyncio.run(crowd()) == (True, True)
