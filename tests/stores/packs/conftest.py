"""A vault in a temporary folder that remembers what the ledger was told."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs import PackPool, PackReader, pack_path

RECEIVED_AT = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC)


@dataclass
class Vault:
    """Pools over one folder, and the calls they made."""

    folder: Path
    indexed: list[StoredMember] = field(default_factory=list)
    index_calls: int = 0
    opened: list[str] = field(default_factory=list)
    sealed: dict[str, int] = field(default_factory=dict)
    syncs: int = 0
    pools: list[PackPool] = field(default_factory=list)

    def index(self, members: Sequence[StoredMember]) -> None:
        self.indexed += members
        self.index_calls += 1

    def pool(self, **changed: Any) -> PackPool:
        arguments: dict[str, Any] = {
            "kind": "received",
            "index": self.index,
            "on_opened": self.opened.append,
            "on_sealed": self.sealed.__setitem__,
            "free_bytes_watermark": 0,
        }
        pool = PackPool(self.folder, **arguments | changed)
        self.pools.append(pool)
        return pool

    def path(self, pack_id: str) -> Path:
        return pack_path(self.folder, pack_id)

    def reader(self) -> PackReader:
        return PackReader(self.folder)


@pytest.fixture
def vault(tmp_path: Path):
    vault = Vault(tmp_path)
    yield vault
    for pool in vault.pools:
        pool.close()


@pytest.fixture
def make_note() -> Callable[..., MemberNote]:
    def make(uid: str = "1.2.3.4", **changed: Any) -> MemberNote:
        return MemberNote(project="admin", door="dimse", received_at=RECEIVED_AT, sop_instance_uid=uid, **changed)

    return make


@pytest.fixture
def in_threads():
    """Runs a function of a number in many threads and gives what each returned or raised."""

    def run(count: int, work: Callable[[int], Any]) -> list[Any]:
        results: list[Any] = [None] * count

        def one(number: int) -> None:
            try:
                results[number] = work(number)
            except Exception as error:  # noqa: BLE001 - handed to the test, which judges it
                results[number] = error

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return results

    return run
