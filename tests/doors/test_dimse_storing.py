"""Objects on their way from fragments to the threads that write them."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from hilum.dicom.upperlayer import PresentationContext
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_deliveries import Deliveries, Delivery, Sender
from hilum.doors.dimse_statuses import Answer, Status
from hilum.doors.dimse_storing import Incoming, Keeper, StoringLimits
from hilum.model.members import MemberNote

EXPLICIT, MR, UID = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"
COMMAND = CStoreRequest(message_id=1, affected_sop_class_uid=MR, affected_sop_instance_uid=UID)
SOON = 10.0


@dataclass
class Pool:
    """Keeps what it is given."""

    stored: list[tuple[bytes, bytes]] = field(default_factory=list)  # bytes, SHA-256
    streamed: bytearray = field(default_factory=bytearray)

    def write_all(self, bodies: Sequence[tuple[memoryview, MemberNote, bytes]]) -> tuple[None, Callable[[], None]]:
        self.stored += [(bytes(body), digest) for body, _, digest in bodies]
        return None, lambda: None

    def begin(self, note: MemberNote) -> "Pool":
        return self

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.streamed += chunk

    def commit(self, expected_sha256: bytes | None = None) -> None: ...
    def abandon(self) -> None: ...


class Senders:
    def join(self, *_arguments: object) -> str:
        return "the intake"


def data_set(length: int) -> bytes:
    uids = ((0x16, MR.encode() + b"\0"), (0x18, UID.encode() + b"\0"))
    head = b"".join(bytes([8, 0, number, 0]) + b"UI" + len(value).to_bytes(2, "little") + value for number, value in uids)
    head += b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little")
    return head + random.Random(length).randbytes(length)


async def send(keeper: Keeper, octets: bytes, chunk: int, *, is_whole: bool = True) -> Answer | None:
    """The answer to an object that comes in chunks; None: the rest of it never came."""
    sender = Sender("admin", "", "CALLING", "CALLED", "127.0.0.1", 5.0, "")
    heard: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    context = PresentationContext(1, MR, EXPLICIT)
    incoming = Incoming(keeper, Delivery(sender), context, COMMAND, None, lambda: None)
    for start in range(0, len(octets), chunk):
        incoming.add(memoryview(octets)[start : start + chunk])
        await asyncio.sleep(0)  # the threads may begin
    if not is_whole:
        incoming.abandon()
        return None
    incoming.end(heard.set_result)
    async with asyncio.timeout(SOON):
        return await heard


def run(pool: Pool, limits: StoringLimits, work: Callable[[Keeper], object]) -> Keeper:
    async def main() -> Keeper:
        keeper = Keeper(pool, Deliveries(Senders(), lambda: None), limits, lambda: datetime(2026, 1, 1, tzinfo=UTC))
        await work(keeper)
        await asyncio.to_thread(keeper.close)
        return keeper

    return asyncio.run(main())


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.mark.parametrize("length", [0, 1000, 196_607, 196_608, 529_001, 3_000_000])
@pytest.mark.parametrize("chunk", [50_000, 262_144])
def test_an_object_and_its_digest_are_whole_however_it_came(pool: Pool, length: int, chunk: int) -> None:
    octets = data_set(length)

    async def work(keeper: Keeper) -> None:
        answer = await send(keeper, octets, chunk)
        assert answer is not None
        assert answer.status is Status.SUCCESS

    keeper = run(pool, StoringLimits(), work)
    [(body, digest)] = pool.stored
    assert body.endswith(octets)
    assert digest == hashlib.sha256(body).digest()
    assert keeper.bytes_in_memory == 0


def test_the_buffer_of_an_object_that_was_given_up_serves_the_next_one(pool: Pool) -> None:
    async def work(keeper: Keeper) -> None:
        await send(keeper, data_set(600_000), 250_000, is_whole=False)
        assert await send(keeper, data_set(529_000), 250_000) is not None

    run(pool, StoringLimits(), work)
    [(body, digest)] = pool.stored
    assert body.endswith(data_set(529_000))
    assert digest == hashlib.sha256(body).digest()


def test_an_object_that_was_hashed_ahead_and_grew_too_large_for_memory_is_streamed(pool: Pool) -> None:
    octets = data_set(2_000_000)

    async def work(keeper: Keeper) -> None:
        answer = await send(keeper, octets, 200_000)
        assert answer is not None
        assert answer.status is Status.SUCCESS

    run(pool, StoringLimits(whole_bytes=500_000, chunk_bytes=300_000), work)
    assert pool.stored == []
    assert bytes(pool.streamed).endswith(octets)


def test_a_buffer_that_grew_is_used_again(pool: Pool) -> None:
    async def work(keeper: Keeper) -> None:
        await send(keeper, data_set(600_000), 250_000)
        grown = keeper.lend_buffer()
        assert len(grown) == 1 << 20
        keeper.take_buffer_back(grown)

    run(pool, StoringLimits(), work)
