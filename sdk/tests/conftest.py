"""A server on a real loopback socket that holds the API's uploads and results in memory, and can be told to misbehave."""

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from hilum_sdk import Hilum

TOKEN = "a-token"
PAGE = 2  # items: lists of three have two pages


class Memory:
    """What the server knows, what it was asked, and the faults that wait for it."""

    def __init__(self) -> None:
        self.address = ""
        self.uploads: dict[str, dict] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.held: dict[str, bytes] = {}  # by SHA-256, whatever upload it came with
        self.asked: list[tuple[str, str, dict]] = []
        self.outcomes: dict[str, deque[dict]] = {}
        self.lists: dict[str, list[dict]] = {}
        self.contents: dict[str, bytes] = {}
        self.faults: deque[tuple[re.Pattern, str, dict]] = deque()
        self.keys: dict[str, list[str]] = {}
        self.in_flight = self.most_in_flight = 0
        self.hold_puts: Callable[[], object] = lambda: None
        self.lock = threading.Lock()

    def fault(self, call: str, kind: str, times: int = 1, **options) -> None:
        """The next `times` calls that match (`METHOD /path` as a pattern) meet a fault: status, drop, truncate or damage."""
        self.faults.extend((re.compile(call), kind, options) for _ in range(times))

    def take_fault(self, call: str) -> tuple[str, dict]:
        with self.lock:
            for entry in self.faults:
                if entry[0].fullmatch(call):
                    self.faults.remove(entry)
                    return entry[1], entry[2]
        return "", {}

    def calls(self, pattern: str) -> list[tuple[str, str, dict]]:
        return [entry for entry in self.asked if re.fullmatch(pattern, f"{entry[0]} {entry[1]}")]

    def outcome(self, upload: str, *states: dict) -> None:
        """What one look after another at an upload shows; the last stays."""
        self.outcomes[upload] = deque(states)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    memory: Memory

    def log_message(self, *arguments) -> None:
        pass

    def answer(self) -> None:
        memory, url = self.memory, urlsplit(self.path)
        self.route = unquote(url.path).removeprefix("/api/v1")
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with memory.lock:
            memory.asked.append((self.command, self.route, dict(self.headers)))
        self.fault, options = memory.take_fault(f"{self.command} {self.route}")
        if self.fault == "drop":
            self.hang_up()
        elif self.fault == "status":
            self.problem(**options)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.problem(401, detail="This token is not known.", mend="make one with `hilum token create`.")
        else:
            self.dispatch()

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def dispatch(self) -> None:
        for pattern, call in ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {self.route}"):
                getattr(self, call)(*found.groups())
                return
        if self.command == "GET" and self.route in self.memory.lists:
            self.page(self.memory.lists[self.route])
        else:
            self.problem(404, detail=f"{self.route} does not exist.")

    def start(self) -> None:
        asked = json.loads(self.body)
        if asked.get("report_type") == "unknown":
            return self.problem(422, detail="There is no report type unknown.", mend="see `hilum template list`.")
        key = self.headers["Idempotency-Key"]
        with self.memory.lock:
            identifier = self.memory.keys.setdefault(key, f"upload-{len(self.memory.uploads) + 1}")
            self.memory.uploads[identifier] = {"id": identifier, "step": "Uploading", "studies": [{"id": "study-1"}], **asked}
            self.memory.files.setdefault(identifier, {})
        if self.fault == "lose-answer":
            return self.hang_up()
        return self.reply(201, self.memory.uploads[identifier])

    def offer(self, upload: str) -> None:
        wanted = []
        for file in json.loads(self.body)["files"]:
            if file["sha256"] in self.memory.held:
                self.memory.files[upload][file["name"]] = self.memory.held[file["sha256"]]
            else:
                wanted.append(file["name"])
        self.reply(200, {"wanted": wanted})

    def put(self, upload: str, name: str) -> None:
        memory = self.memory
        with memory.lock:
            memory.in_flight += 1
            memory.most_in_flight = max(memory.most_in_flight, memory.in_flight)
        memory.hold_puts()
        with memory.lock:
            memory.in_flight -= 1
        digest = hashlib.sha256(self.body if self.fault != "damage" else b"damaged" + self.body)
        if self.headers.get("Content-Digest") != f"sha-256=:{base64.b64encode(digest.digest()).decode()}:":
            return self.problem(422, detail=f"The bytes of {name} have another digest than the request says.")
        memory.files[upload][name] = memory.held[digest.hexdigest()] = self.body
        sha256 = "0" * 64 if self.fault == "other-digest" else digest.hexdigest()
        return self.reply(201, {"name": name, "size": len(self.body), "sha256": sha256})

    def complete(self, upload: str) -> None:
        missing = json.loads(self.body).get("expected_files", 0) - len(self.memory.files[upload])
        if missing > 0:
            return self.problem(409, detail=f"{missing} files are missing.")
        self.memory.uploads[upload] |= {"step": "Importing", "announced": json.loads(self.body).get("expected_counts")}
        return self.reply(202, self.memory.uploads[upload])

    def archive(self) -> None:
        self.memory.files["zip"] = {"zip": self.body}
        self.reply(202, {"id": "zip", "step": "Importing", "asked": self.query})

    def show(self, upload: str) -> None:
        states = self.memory.outcomes.get(upload, deque([{}]))
        state = states.popleft() if len(states) > 1 else states[0]
        if upload not in self.memory.uploads:
            return self.problem(404, detail="There is no such upload.")
        return self.reply(200, self.memory.uploads[upload] | state)

    def show_files(self, upload: str) -> None:
        self.page([{"name": n, "size": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in self.memory.files[upload].items()])

    def search(self) -> None:
        self.page([{"id": f"study-{n}", "found_by": json.loads(self.body)} for n in range(3)], json.loads(self.body).get("cursor"))

    def content(self, artifact: str) -> None:
        body = self.memory.contents[artifact]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.fault == "truncate":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.hang_up()
        else:
            self.wfile.write(body if self.fault != "damage" else b"x" * len(body))

    def page(self, items: list[dict], cursor: str | None = None) -> None:
        start = int(cursor or self.query.get("cursor", 0))
        after = start + PAGE
        self.reply(200, {"items": items[start:after], "next": str(after) if after < len(items) else None})

    def problem(self, status: int, headers: dict | None = None, detail: str = "", mend: str = "") -> None:
        problem = {"type": f"urn:hilum:{status}", "title": f"Problem {status}", "status": status, "detail": detail, "mend": mend}
        self.reply(status, problem, "application/problem+json", headers)

    def reply(self, status: int, value: object, media_type: str = "application/json", headers: dict | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {"Content-Type": media_type, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, text)
        self.end_headers()
        self.wfile.write(body)


ROUTES = (
    (r"POST /uploads", "start"),
    (r"POST /uploads/archive", "archive"),
    (r"POST /uploads/([^/]+)/offer", "offer"),
    (r"PUT /uploads/([^/]+)/files/(.+)", "put"),
    (r"POST /uploads/([^/]+)/complete", "complete"),
    (r"GET /uploads/([^/]+)/files", "show_files"),
    (r"GET /uploads/([^/]+)", "show"),
    (r"POST /studies/search", "search"),
    (r"GET /artifacts/([^/]+)/content", "content"),
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        """Connections that end early are what these tests are about."""


@pytest.fixture
def server() -> Iterator[Memory]:
    memory = Memory()
    with Server(("127.0.0.1", 0), type("Bound", (Handler,), {"memory": memory, "disable_nagle_algorithm": True})) as listening:
        memory.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield memory
        listening.shutdown()
        thread.join()


@pytest.fixture
def hilum(server: Memory) -> Iterator[Hilum]:
    with Hilum(server.address, TOKEN, timeout=5, retry_for=5) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files in two folders, and five entries that are not to be sent."""
    root = tmp_path / "study"
    (root / "t1").mkdir(parents=True)
    (root / "t1" / "2 größe#?.dcm").write_bytes(b"second" * 1000)
    (root / "t1" / "1.dcm").write_bytes(b"first" * 1000)
    (root / "notes.txt").write_bytes(b"")
    (root / ".DS_Store").write_bytes(b"x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"x")
    (tmp_path / "outside.dcm").write_bytes(b"not ours")
    (root / "outside.dcm").symlink_to(tmp_path / "outside.dcm")
    (root / "nowhere.dcm").symlink_to(root / "gone")
    (root / "t1 again").symlink_to(root / "t1")
    return root


@pytest.fixture
def seconds() -> Callable[[], float]:
    """The seconds since the test began."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
