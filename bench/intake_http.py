"""How fast images are taken in over HTTP, side by side with Debian's Orthanc where it is installed.

    python bench/intake_http.py [--number 1000] [--runs 3] [--folder DIR] [--only CASE] [--without-orthanc] [--calm SECONDS]

Every run begins with an empty server. The clock starts with the first byte that is sent and ends when the catalogue has all instances:
ours when the upload counts them as imported, Orthanc's when its statistics do. Runs of both servers alternate, so that both meet the same
moods of the machine; with --calm, each waits at most so long until the machine does little else.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from images import CT, MR, Kind, make_images, write_zip
from sending import Plan, Sent, head, send_apart
from servers import BenchError, Hilum, Orthanc, Server, cpu_seconds_of

CATALOGUE_SECONDS = 300.0
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Load:
    """What is sent in a case: a file of bodies, where each stands in it, and how many images they hold."""

    path: Path
    bodies: Sequence[tuple[int, int]]
    instances: int


@dataclass(frozen=True)
class Case:
    """One row of the table; `goal` in words, and what it asks of a median rate and its ratio to Orthanc's (None: nothing)."""

    name: str
    title: str
    connections: int
    make: Callable[[Path, int], Load]
    least_ratio: float | None = None
    least_rate: float | None = None


@dataclass(frozen=True)
class Result:
    """One run, in seconds from the first byte sent; and what the server's processes used of the cores meanwhile."""

    acknowledged: float
    catalogued: float
    cpu: float = 0.0


def make_zip(method: int) -> Callable[[Path, int], Load]:
    def make(folder: Path, number: int) -> Load:
        path = folder / "images.zip"
        return Load(path, [(0, write_zip(path, make_images(CT, number), method))], number)

    return make


def make_files(kind: Kind) -> Callable[[Path, int], Load]:
    def make(folder: Path, number: int) -> Load:
        path, bodies = folder / "images.bin", []
        with path.open("wb") as file:
            for image in make_images(kind, number):
                bodies.append((file.tell(), len(image)))
                file.write(image)
        return Load(path, bodies, number)

    return make


CASES = (
    Case("zip-stored", "zip, stored members, 512 KB CT", 1, make_zip(zipfile.ZIP_STORED), least_ratio=4.0),
    Case("zip-deflated", "zip, deflated members, 512 KB CT", 1, make_zip(zipfile.ZIP_DEFLATED), least_ratio=2.5),
    Case("put-ct", "single files, 512 KB CT", 10, make_files(CT)),
    Case("put-mr", "single files, 128 KB MR", 10, make_files(MR), least_rate=1000.0),
)


# --- one run ---------------------------------------------------------------------------------------------------------------------


def take_hilum(server: Server, case: Case, load: Load, folder: Path) -> Result:
    """One upload: an archive at once, or its files and then the word that they are all."""
    if len(load.bodies) == 1:
        sent = _send(server, case, load, folder, "POST", lambda _: "/api/v1/uploads/archive?project=admin").require(202)
        path = f"/api/v1/uploads/{json.loads(sent.answers[0])['id']}"
    else:
        path = f"/api/v1/uploads/{server.call('POST', '/api/v1/uploads', {'project': 'admin'})['id']}"
        sent = _send(server, case, load, folder, "PUT", lambda at: f"{path}/files/image{at:05d}.dcm").require(201)
        server.call("POST", f"{path}/complete", {"expected_files": load.instances})
    return _wait(sent, load.instances, lambda: server.call("GET", path)["counts"]["imported"])


def take_orthanc(server: Server, case: Case, load: Load, folder: Path) -> Result:
    """POST /instances takes an archive or a file."""
    sent = _send(server, case, load, folder, "POST", lambda _: "/instances").require(200)
    return _wait(sent, load.instances, lambda: server.call("GET", "/statistics")["CountInstances"])


def _send(server: Server, case: Case, load: Load, folder: Path, method: str, path: Callable[[int], str]) -> Sent:
    requests = [(head(method, path(at), server.headers, length), offset, length) for at, (offset, length) in enumerate(load.bodies)]
    return send_apart(Plan("127.0.0.1", server.port, case.connections, str(load.path), requests), folder)


def _wait(sent: Sent, number: int, count: Callable[[], int]) -> Result:
    until = time.monotonic() + CATALOGUE_SECONDS
    while (found := count()) < number:
        if time.monotonic() > until:
            raise BenchError(f"After {CATALOGUE_SECONDS:.0f} s the catalogue has {found} of {number} instances.")
        time.sleep(POLL_SECONDS)
    return Result(sent.ended - sent.began, time.monotonic() - sent.began)


TAKE = {Hilum: take_hilum, Orthanc: take_orthanc}


@contextmanager
def _empty_folder(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def wait_for_calm(seconds: float) -> None:
    """Return when all cores were idle for nine tenths of two seconds, or after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = _idle_seconds()
        time.sleep(2.0)
        if _idle_seconds() - before > 0.9 * 2.0 * (os.cpu_count() or 1):
            return


def _idle_seconds() -> float:
    """Of all cores together (proc(5), /proc/stat)."""
    return int(Path("/proc/stat").read_text().split()[4]) / os.sysconf("SC_CLK_TCK")


def run_once(kind: type[Server], case: Case, load: Load, parent: Path, calm: float) -> Result:
    """Start the server on an empty folder, and measure when what earlier runs left for the disk is on it."""
    with _empty_folder(parent) as folder, kind(folder) as server:
        os.sync()
        wait_for_calm(calm)
        assert server.process is not None
        before = cpu_seconds_of(server.process.pid)
        result = TAKE[kind](server, case, load, folder)
        return replace(result, cpu=cpu_seconds_of(server.process.pid) - before)


# --- the table -------------------------------------------------------------------------------------------------------------------


def run_case(case: Case, kinds: Sequence[type[Server]], number: int, runs: int, parent: Path, calm: float) -> bool:
    """Measure and print one row a server; whether the goals are met."""
    with _empty_folder(parent) as folder:
        load = case.make(folder, number)
        size = sum(length for _, length in load.bodies)
        print(f"\n{case.name}: {number} instances, {case.title}, {size >> 20} MB, {case.connections} connection(s)", flush=True)
        results: dict[str, list[Result]] = {kind.name: [] for kind in kinds}
        for _ in range(runs):
            for kind in kinds:
                results[kind.name].append(run_once(kind, case, load, parent, calm))
    rates = {name: _print_row(name, number, of_one) for name, of_one in results.items()}
    return _judge(case, rates)


def _print_row(name: str, number: int, results: Sequence[Result]) -> float:
    rates = sorted(number / result.catalogued for result in results)
    acknowledged = statistics.median(number / result.acknowledged for result in results)
    median, cpu = statistics.median(rates), statistics.median(result.cpu for result in results)
    said = f"({rates[0]:.0f}-{rates[-1]:.0f}), {acknowledged:.0f}/s acknowledged, {cpu:.1f} s CPU"
    print(f"  {name:8} {median:7.0f} instances/s in the catalogue {said}", flush=True)
    return median


def _judge(case: Case, rates: dict[str, float]) -> bool:
    verdicts = []
    if "orthanc" in rates:
        verdicts.append(_verdict("ratio", rates["hilum"] / rates["orthanc"], case.least_ratio))
    if case.least_rate is not None:
        verdicts.append(_verdict("rate", rates["hilum"], case.least_rate))
    return all(verdicts)


def _verdict(what: str, value: float, least: float | None) -> bool:
    if least is None:
        print(f"  {what:8} {value:7.1f}")
        return True
    print(f"  {what:8} {value:7.1f} (goal: at least {least:g}): {'met' if value >= least else 'MISSED'}")
    return value >= least


def main() -> int:
    """Print the table; 0 where all goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=1000, help="instances")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where all servers keep their files")
    parser.add_argument("--only", choices=[case.name for case in CASES], action="append")
    parser.add_argument("--without-orthanc", action="store_true")
    parser.add_argument("--calm", type=float, default=0.0, metavar="SECONDS", help="wait at most so long before a run")
    given = parser.parse_args()
    kinds: list[type[Server]] = [Hilum]
    if Orthanc.program() and not given.without_orthanc:
        kinds.append(Orthanc)
    print(f"{' and '.join(kind.name for kind in kinds)}; medians of {given.runs} runs, lowest-highest; {os.cpu_count()} cores")
    cases = [case for case in CASES if not given.only or case.name in given.only]
    met = [run_case(case, kinds, given.number, given.runs, given.folder, given.calm) for case in cases]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
