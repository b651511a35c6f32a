"""Whether anything is lost, doubled or stuck when processes of a running server are killed at random.

    python bench/kill.py [--kills 200] [--instances 1000] [--seed 1] [--folder DIR] [--minutes 20]

Senders upload studies (single files with digests, every fifth study as one archive) while a killer ends, with signal 9, random processes
of `hilum serve`: the supervisor, what prepares the data directory, the web process, workers, processors. When the supervisor is gone the
server is started again on the same data directory. Sending is spread over the kills, so that something is on its way at each of them.

Whatever the server acknowledged is written into a history. When all is calm again the server is stopped, and its data directory is read
by plain means: every acknowledged instance must be there, once, with its bytes; every study must have one workitem, finished and
delivered once; `hilum verify` must find all sound; and no process may be left.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.uid import MRImageStorage

from afterwards import check_all
from images import Kind, make_images
from servers import BenchError, Hilum, tree_of

SLICES = 10  # a study
TINY = Kind("MR", MRImageStorage, 64, slices=SLICES, private_bytes=256)
SENDERS = 3
ARCHIVE_EVERY = 5
TEMPLATE_NAME, PLACE = "killed", "there"
TEMPLATE = {
    "name": TEMPLATE_NAME,
    "active": False,
    "processing": [{"processor": "dcm2niix"}],
    "destinations": [{"destination": "folder", "settings": {"path": PLACE}}],
}
# A killed worker's item waits for its lease; an item whose workers die five times would be failed, rightly, were it its own fault.
SETTINGS = {"HILUM_LEASE_SECONDS": "3", "HILUM_ATTEMPTS": "10000", "HILUM_FREE_DISK_BYTES": "0"}
EPISODES = (  # weight, processes that are killed one after the other, as soon as there is one
    (4, ("web",)),
    (5, ("work",)),
    (4, ("processor",)),
    (2, ("serve",)),
    (1, ("serve", "prepare")),
)
PATIENCE_SECONDS = 3.0  # how long the killer waits for a process of the kind
MEAN_SECONDS = 0.5  # between episodes
RETRY_SECONDS = 0.2
REQUEST_SECONDS = 60


@dataclass
class History:
    """What the server acknowledged, and how far the killing is."""

    kills: int
    killed: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    retries: int = 0
    images: dict[str, bytes] = field(default_factory=dict)  # SHA-256 of acknowledged instances -> their bytes
    uploads: list[str] = field(default_factory=list)  # that were completed
    troubles: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_kills(self, number: float) -> None:
        """Return when so many were killed."""
        with self.changed:
            self.changed.wait_for(lambda: self.killed.total() >= min(number, self.kills) or self.troubles)

    def note_kill(self, what: str) -> None:
        with self.changed:
            self.killed[what] += 1
            self.changed.notify_all()

    def note_retry(self) -> None:
        with self.changed:
            self.retries += 1

    def acknowledge(self, images: Sequence[bytes]) -> None:
        with self.changed:
            self.images |= {hashlib.sha256(image).hexdigest(): image for image in images}

    def complete(self, upload_id: str) -> None:
        with self.changed:
            self.uploads.append(upload_id)

    def trouble(self, sentence: str) -> None:
        with self.changed:
            self.troubles.append(sentence)
            self.changed.notify_all()


# --- the server, kept running ----------------------------------------------------------------------------------------------------


class Keeper:
    """Starts the server again whenever it ends, until it is told to stop it for good."""

    def __init__(self, server: Hilum, history: History) -> None:
        self._server = server
        self._history = history
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pids(self) -> list[int]:
        """Of the processes that run now; the supervisor's is the first."""
        process = self._server.process
        return [] if process is None or process.poll() is not None else tree_of(process.pid)

    def stop(self) -> int | None:
        """Ask the server to stop; its exit status."""
        self._is_over.set()
        process = self._server.process
        if process is None:
            return None
        process.terminate()
        self._thread.join()
        return process.returncode

    def _keep(self) -> None:
        while not self._is_over.is_set():
            process = self._server.spawn()
            self._history.starts += 1
            assert process.stdout is not None
            with process.stdout as stdout:
                for _ in stdout:  # the ready line, and then its end
                    pass
            process.wait()


def kill_at_random(keeper: Keeper, history: History, chance: random.Random, until: float) -> None:
    """Kill as many as the history asks for."""
    weights = [weight for weight, _ in EPISODES]
    while history.killed.total() < history.kills and time.monotonic() < until and not history.troubles:
        time.sleep(chance.expovariate(1 / MEAN_SECONDS))
        [(_, parts)] = chance.choices(EPISODES, weights)
        for part in parts:
            _kill_one(part, keeper, history, chance)


def _kill_one(part: str, keeper: Keeper, history: History, chance: random.Random) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while not (running := [pid for pid in keeper.pids() if part_of(pid) == part]):
        if time.monotonic() > patience:
            return
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(chance.choice(running), signal.SIGKILL)
        history.note_kill(part)


def part_of(pid: int) -> str:
    """What a process of the server's tree is; empty where it ended meanwhile."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return ""
    if words == [""]:  # a zombie
        return ""
    return words[words.index("hilum") + 1] if "hilum" in words else "processor"


# --- senders ---------------------------------------------------------------------------------------------------------------------


class Sender:
    """Sends one study after another, each request again until it is answered."""

    def __init__(self, server: Hilum, history: History, until: float) -> None:
        self._server = server
        self._history = history
        self._until = until

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str], expected: Sequence[int]) -> Any:
        """The JSON of the expected answer.

        Raises:
            BenchError: another answer, or none in time. Only 5xx and broken connections are tried again.
        """
        while time.monotonic() < self._until:
            with suppress(OSError, http.client.HTTPException):
                status, said = self._ask_once(method, path, body, headers)
                if status in expected:
                    return json.loads(said)
                if status < 500:
                    raise BenchError(f"{method} {path} answered {status}: {said[:400]!r}")
            self._history.note_retry()
            time.sleep(RETRY_SECONDS)
        raise BenchError(f"{method} {path} was not answered in time")

    def _ask_once(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=REQUEST_SECONDS)
        with closing(connection):
            connection.request(method, f"/api/v1{path}", body, {**self._server.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def change(self, path: str, body: Any, expected: Sequence[int]) -> Any:
        """A change that is made once, however often it is asked for."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        return self.ask("POST", path, json.dumps(body).encode(), headers, expected)

    def send_files(self, images: Sequence[bytes]) -> None:
        """One upload, a file a request."""
        upload_id = self.change("/uploads", {"project": "admin", "report_type": TEMPLATE_NAME}, [201])["id"]
        for number, image in enumerate(images):
            self.ask("PUT", f"/uploads/{upload_id}/files/image{number}.dcm", image, digest_of(image), [201])
            self._history.acknowledge([image])
        self.change(f"/uploads/{upload_id}/complete", {"expected_files": len(images)}, [202])
        self._history.complete(upload_id)

    def send_archive(self, images: Sequence[bytes]) -> None:
        """One upload, all or nothing."""
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, image in enumerate(images):
                archive.writestr(f"image{number}.dcm", image)
        body = buffer.getvalue()
        headers = {**digest_of(body), "Idempotency-Key": str(uuid.uuid4())}
        upload = self.ask("POST", f"/uploads/archive?project=admin&report_type={TEMPLATE_NAME}", body, headers, [202])
        self._history.acknowledge(images)
        self._history.complete(upload["id"])


def digest_of(body: bytes) -> dict[str, str]:
    """RFC 9530."""
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"}


def send_all(sender: Sender, history: History, studies: Iterator[tuple[int, list[bytes]]], number: int) -> None:
    """Send the studies, each when its share of the kills is done."""
    try:
        for at, images in studies:
            history.wait_for_kills(at / number * history.kills)
            (sender.send_archive if at % ARCHIVE_EVERY == 0 else sender.send_files)(images)
    except BenchError as error:
        history.trouble(str(error))


class Studies(Iterator[tuple[int, list[bytes]]]):
    """(number, images) of one study after another, for several threads."""

    def __init__(self, number: int, seed: int) -> None:
        self._images = make_images(TINY, number * SLICES, seed)
        self._waiting = iter(range(number))
        self._lock = threading.Lock()

    def __next__(self) -> tuple[int, list[bytes]]:
        with self._lock:
            at = next(self._waiting)
            return at, [next(self._images) for _ in range(SLICES)]


def wait_until_calm(sender: Sender, history: History) -> None:
    """Return when every completed upload is finished.

    Raises:
        BenchError: one is not in time, or came to another end.
    """
    for upload_id in history.uploads:
        while True:
            upload = sender.ask("GET", f"/uploads/{upload_id}", b"", {}, [200])
            if upload["outcome"] is not None:
                break
            time.sleep(RETRY_SECONDS)
        if upload["outcome"] != "succeeded":
            history.trouble(f"Upload {upload_id} came to {upload['outcome']}: {upload['held']} {upload['errors']}")


# --- the run ---------------------------------------------------------------------------------------------------------------------


def run(folder: Path, kills: int, instances: int, seed: int, minutes: float) -> list[str]:
    """Send, kill, wait, stop, check."""
    history, server, until = History(kills), Hilum(folder, SETTINGS), time.monotonic() + minutes * 60
    keeper, sender, number = Keeper(server, history), Sender(server, history, until), -(-instances // SLICES)
    studies = Studies(number, seed)
    begun = time.monotonic()
    keeper.start()
    try:
        sender.change("/templates", TEMPLATE, [201])
        threads = [threading.Thread(target=send_all, args=(sender, history, studies, number)) for _ in range(SENDERS)]
        _together(threads, lambda: kill_at_random(keeper, history, random.Random(seed), until))
        wait_until_calm(sender, history)
    except BenchError as error:
        history.trouble(str(error))
    finally:
        exit_status = keeper.stop()
    tell(history, number, time.monotonic() - begun)
    if exit_status != 0:
        history.trouble(f"The server's exit status after SIGTERM is {exit_status}.")
    return [*history.troubles, *check_all(folder / "data", history.images, TEMPLATE_NAME, PLACE)]


def _together(threads: Sequence[threading.Thread], work: Callable[[], None]) -> None:
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()


def tell(history: History, studies: int, seconds: float) -> None:
    """What was done to the server."""
    kinds = ", ".join(f"{number} {kind}" for kind, number in history.killed.most_common())
    print(f"{history.killed.total()} kills ({kinds}) in {seconds:.0f} s; the server was started {history.starts} times", flush=True)
    print(f"{len(history.images)} instances of {studies} studies acknowledged; {history.retries} requests were sent again", flush=True)


def main() -> int:
    """Print what was done and every trouble; 0 where there is none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=20.0, help="after so long it is a failure")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--keep", action="store_true", help="leave the data directory and the log behind")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hilum-kill-", dir=given.folder))
    troubles = run(folder, given.kills, given.instances, given.seed, given.minutes)
    for trouble in troubles:
        print(f"TROUBLE: {trouble}")
    if troubles or given.keep:
        print(f"Data directory and log: {folder}")
    else:
        shutil.rmtree(folder)
        print("Nothing was lost, nothing doubled, nothing stuck.")
    return 1 if troubles else 0


if __name__ == "__main__":
    raise SystemExit(main())
