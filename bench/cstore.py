"""A lean C-STORE sender: messages written beforehand, a process an association or more, every reply waited for and timed.

As a program it is the sending side of a bench, so that what sending costs is not the measuring process' own time:

    python bench/cstore.py PLAN.json

The answer on standard output is {"began": t, "ended": t, "statuses": {"0000": n}, "seconds": [...]}: times of CLOCK_MONOTONIC, which all
processes of a machine share, and what each reply took from the first byte of its request on.
"""

import json
import mmap
import multiprocessing
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

ANSWER_SECONDS = 600.0
LONGEST_PDU = 1 << 20  # what is sent at most to a peer that takes more
P_DATA, RELEASE_REQUEST = 4, struct.pack(">BBII", 5, 0, 4, 0)
CONTEXT_ID, IS_COMMAND, IS_LAST = 1, 1, 2

Instance = tuple[str, int, int]
"""SOP Instance UID, offset and length of the data set in the file of data sets."""


@dataclass(frozen=True)
class Plan:
    """What is to be sent, and over how many senders, each with an association of its own.

    Args:
        data_sets: the file of data sets; `sop_class_uid` and `transfer_syntax_uid` are those of all of them.
        is_one_each: each sender opens an association for each instance, one after another.
    """

    port: int
    called: str
    senders: int
    data_sets: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instances: Sequence[Instance]
    is_one_each: bool = False


@dataclass(frozen=True)
class Stored:
    """What came of it."""

    began: float
    ended: float
    statuses: Mapping[str, int]
    seconds: Sequence[float]

    def require_success(self) -> "Stored":
        """Itself, if every reply was 0x0000."""
        if set(self.statuses) != {"0000"}:
            raise RuntimeError(f"Not everything was taken: {self.statuses}")
        return self


def store_apart(plan: Plan, folder: Path) -> Stored:
    """Run the plan in processes of its own."""
    path = folder / "plan.json"
    path.write_text(json.dumps(asdict(plan)))
    done = subprocess.run([sys.executable, "-S", __file__, str(path)], check=False, capture_output=True, timeout=ANSWER_SECONDS)
    if done.returncode:
        raise RuntimeError(f"The sender failed: {done.stderr.decode(errors='replace')[-1000:]}")
    return Stored(**json.loads(done.stdout))


def store(plan: Plan) -> Stored:
    """Send everything; the clock starts when all senders have written their messages."""
    fork = multiprocessing.get_context("fork")
    barrier, answers = fork.Barrier(plan.senders), fork.SimpleQueue()
    senders = [fork.Process(target=_run, args=(plan, number, barrier, answers.put)) for number in range(plan.senders)]
    for sender in senders:
        sender.start()
    found = [answers.get() for _ in senders]
    for sender in senders:
        sender.join()
    statuses: Counter[str] = Counter()
    for one in found:
        statuses.update(one.statuses)
    seconds = [second for one in found for second in one.seconds]
    return Stored(min(one.began for one in found), max(one.ended for one in found), dict(statuses), seconds)


def _run(plan: Plan, number: int, barrier: Barrier, answer: "object") -> None:
    assert callable(answer)
    began, ended, statuses, seconds = 0.0, 0.0, Counter[str](), list[float]()
    try:
        sender = _Sender(plan)
        messages = sender.write(plan.instances[number :: plan.senders])
        barrier.wait()
        began = time.monotonic()
        for status, took in sender.send(messages):
            statuses[status] += 1
            seconds.append(took)
        ended = time.monotonic()
        sender.leave()
    except (OSError, BrokenBarrierError) as error:
        barrier.abort()
        statuses[f"{type(error).__name__}: {error}"] += 1
    answer(Stored(began, ended or time.monotonic(), statuses, seconds))


class _Sender:
    """One association at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pdu_length = self.associate()

    def associate(self) -> int:
        """Open the next association; the longest PDU its peer takes."""
        plan = self._plan
        self._socket = socket.create_connection(("127.0.0.1", plan.port), timeout=ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_associate_request(plan.called, plan.sop_class_uid, plan.transfer_syntax_uid))
        kind, body = self._read_pdu()
        if kind != 2:
            raise ConnectionError(f"the association was not accepted: PDU type {kind}")
        at = body.rfind(b"\x51\x00\x00\x04")
        length = int(struct.unpack_from(">I", body, at + 4)[0])
        return min(length or LONGEST_PDU, LONGEST_PDU)

    def leave(self) -> None:
        self._socket.sendall(RELEASE_REQUEST)
        self._read_pdu()
        self._socket.close()

    def write(self, instances: Sequence[Instance]) -> list[bytes]:
        """The messages as they go over the wire."""
        with Path(self._plan.data_sets).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data_sets:
            return [
                _cut(_store_request(number % 65000 + 1, self._plan.sop_class_uid, uid), IS_COMMAND, self._pdu_length)
                + _cut(data_sets[offset : offset + length], 0, self._pdu_length)
                for number, (uid, offset, length) in enumerate(instances)
            ]

    def send(self, messages: Sequence[bytes]):  # type: ignore[no-untyped-def]
        """Yields status and seconds of each."""
        for number, message in enumerate(messages):
            began = time.monotonic()
            if self._plan.is_one_each and number:
                self.leave()
                self.associate()
            self._socket.sendall(message)
            kind, body = self._read_pdu()
            if kind != P_DATA:
                raise ConnectionError(f"PDU type {kind} instead of a reply")
            yield f"{_status_of(body):04x}", time.monotonic() - began

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBI", self._read(6))
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            if hasattr(socket, "TCP_QUICKACK"):
                # Else a peer that sends a reply in two pieces waits 40 ms for our acknowledgement of the first.
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            piece = self._socket.recv(count - len(received))
            if not piece:
                raise ConnectionError("the peer closed the connection")
            received += piece
        return received


def _associate_request(called: str, sop_class_uid: str, transfer_syntax_uid: str) -> bytes:
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + b"BENCH".ljust(16) + bytes(32)
    body += _item(0x10, b"1.2.840.10008.3.1.1.1")
    syntaxes = _item(0x30, sop_class_uid.encode()) + _item(0x40, transfer_syntax_uid.encode())
    body += _item(0x20, bytes([CONTEXT_ID, 0, 0, 0]) + syntaxes)
    body += _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"1.2.826.0.1.3680043.10.1399.2"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    body = _element(0x0002, sop_class_uid.encode()) + _element(0x0100, struct.pack("<H", 1))
    body += _element(0x0110, struct.pack("<H", message_id)) + _element(0x0700, struct.pack("<H", 0))
    body += _element(0x0800, struct.pack("<H", 1)) + _element(0x1000, sop_instance_uid.encode())
    return _element(0x0000, struct.pack("<I", len(body))) + body


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", 0, number, len(value)) + value


def _cut(payload: bytes, control: int, pdu_length: int) -> bytes:
    parts, step = [], (pdu_length - 6) & ~1
    for start in range(0, len(payload), step):
        piece = payload[start : start + step]
        last = IS_LAST if start + step >= len(payload) else 0
        parts += struct.pack(">BBIIBB", P_DATA, 0, len(piece) + 6, len(piece) + 2, CONTEXT_ID, control | last), piece
    return b"".join(parts)


def _status_of(body: bytes) -> int:
    at = 6
    while at < len(body):
        _, number, length = struct.unpack_from("<HHI", body, at)
        if number == 0x0900:
            return int(struct.unpack_from("<H", body, at + 8)[0])
        at += 8 + length
    return 0xFFFF


if __name__ == "__main__":
    print(json.dumps(asdict(store(Plan(**json.loads(Path(sys.argv[1]).read_text()))))))
