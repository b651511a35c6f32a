"""A lean sender: requests written beforehand, bodies by sendfile(2), each connection kept alive and waiting for its answer.

As a program it is the sending process of a bench, so that what sending costs is not the measuring process' own time:

    python bench/sending.py PLAN.json

The plan names host, port, connections, a file of bodies, and requests as [head, offset, length]; the answer on standard output is
{"began": t, "ended": t, "statuses": {"201": n}} in seconds of CLOCK_MONOTONIC, which all processes of a machine share.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ANSWER_SECONDS = 600.0

Request = tuple[str, int, int]
"""Head without its end, offset and length of the body in the file of bodies."""


@dataclass(frozen=True)
class Plan:
    """What is to be sent."""

    host: str
    port: int
    connections: int
    bodies: str
    requests: Sequence[Request]


@dataclass(frozen=True)
class Sent:
    """What came of it; times in seconds of CLOCK_MONOTONIC."""

    began: float
    ended: float
    statuses: Mapping[str, int]
    answers: Sequence[str]  # the last of each connection, at most 1000 characters

    def require(self, *statuses: int) -> "Sent":
        """Itself, if nothing else was answered."""
        if set(self.statuses) - {str(status) for status in statuses}:
            raise RuntimeError(f"Not everything was taken: {self.statuses}, {list(self.answers)}")
        return self


def head(method: str, path: str, headers: Mapping[str, str], length: int) -> str:
    """A request's head as text, without the empty line at its end."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines)


def send_apart(plan: Plan, folder: Path) -> Sent:
    """Run the plan in a process of its own."""
    path = folder / "plan.json"
    path.write_text(json.dumps(asdict(plan)))
    done = subprocess.run([sys.executable, "-S", __file__, str(path)], check=True, capture_output=True, timeout=ANSWER_SECONDS)
    return Sent(**json.loads(done.stdout))


def send(plan: Plan) -> Sent:
    """Send everything, a thread a connection, each taking the next request when its last was answered."""
    statuses: Counter[str] = Counter()
    answers: list[str] = []
    waiting = iter(plan.requests)
    lock = threading.Lock()
    bodies = os.open(plan.bodies, os.O_RDONLY)

    def requests() -> Iterator[Request]:
        while True:
            with lock:
                request = next(waiting, None)
            if request is None:
                return
            yield request

    def run() -> None:
        connection = Connection(plan.host, plan.port)
        answer = b""
        for text, offset, length in requests():
            status, answer = connection.exchange(text, bodies, offset, length)
            with lock:
                statuses[status] += 1
        connection.close()
        answers.append(answer[:1000].decode("latin-1"))

    threads = [threading.Thread(target=run) for _ in range(plan.connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(began, time.monotonic(), dict(statuses), answers)


class Connection:
    """One connection, one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def exchange(self, text: str, bodies: int, offset: int, length: int) -> tuple[str, bytes]:
        """Send a request; its answer's status and body."""
        self._socket.sendall(text.encode() + b"\r\n\r\n", socket.MSG_MORE)
        end = offset + length
        while offset < end:
            offset += os.sendfile(self._socket.fileno(), bodies, offset, end - offset)
        return self._read_answer()

    def close(self) -> None:
        self._socket.close()

    def _read_answer(self) -> tuple[str, bytes]:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            self._receive()
        lines = self._buffer[:at].decode("latin-1").split("\r\n")
        lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
        if not lengths:
            raise RuntimeError(f"An answer without a length: {lines}")
        end = at + 4 + lengths[0]
        while len(self._buffer) < end:
            self._receive()
        body, self._buffer = self._buffer[at + 4 : end], self._buffer[end:]
        return lines[0].split(" ")[1], body

    def _receive(self) -> None:
        more = self._socket.recv(65536)
        if not more:
            raise ConnectionError("The server closed the connection.")
        self._buffer += more


if __name__ == "__main__":
    print(json.dumps(asdict(send(Plan(**json.loads(Path(sys.argv[1]).read_text()))))))
