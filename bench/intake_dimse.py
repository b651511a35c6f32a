"""How fast images are received by C-STORE, side by side with the receivers that are installed: Orthanc, DCMTK's storescp, pynetdicom.

    python bench/intake_dimse.py [--quick | --whole] [--number 1000] [--runs 5] [--folder DIR] [--kind ct] [--associations 1,16]
                                 [--peers orthanc,storescp] [--imported] [--many 1000] [--indexed-before 1000000] [--calm SECONDS]
                                 [--set NAME=VALUE]

--whole: all tables, then those of open associations again with --imported. --quick: the same in about ten minutes of a quiet machine
(400 instances, three runs, 1, 4 and 16 associations, 300 of one image each).

Every run begins with an empty server. The clock starts with the first byte of the first request, when all senders have their associations,
and ends with the last reply; ours, when the pack index has all instances, too; with --imported, ours and Orthanc's when the catalogue has
them. Runs of all receivers alternate, so that they meet the same moods of the machine. After the table of associations that stay open
comes one of associations that bring one image each (--many, 0: none), and with --indexed-before how fast ours is when it knows so many
instances already (synthetic rows), beside an empty one.

The shortest form: --number 200 --runs 1 --associations 1,16 --many 0 --peers orthanc
"""

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cstore import Instance, Plan, store_apart
from images import CT, MR, Kind, make_images
from intake_http import wait_for_calm
from receivers import RECEIVERS, HilumReceiver, Receiver
from servers import BenchError

KINDS = {"ct": CT, "mr": MR}
PROBE_SECONDS = 300.0
POLL_SECONDS = 0.005
MANY_SENDERS = 4  # modalities that each open one association after another
UID_TAG = b"\x08\x00\x18\x00UI"  # (0008,0018) SOP Instance UID in explicit VR little endian
P99_SECONDS = {"ct": 0.150, "mr": 0.050}
CPU_SECONDS = 0.001  # of a received CT
SLOWER_AT_MOST = 0.9


@dataclass(frozen=True)
class Load:
    """Data sets in a file, and where each stands."""

    name: str
    kind: Kind
    path: Path
    instances: Sequence[Instance]


@dataclass(frozen=True)
class Result:
    """One run: instances a second, seconds of all replies, CPU seconds an instance of the receiving processes and of all processes."""

    rate: float
    replies: Sequence[float]
    door_cpu: float
    cpu: float


@dataclass(frozen=True)
class Goal:
    """What the ratios of a receiver are to be."""

    mean: float
    least: float = 0.0


QUICK = {"number": 400, "runs": 3, "associations": "1,4,16", "many": 300}
GOALS = {"orthanc": Goal(3.0, 2.0), "storescp": Goal(1.0), "pynetdicom": Goal(6.0)}
MANY_GOALS = {"orthanc": Goal(2.0)}


def make_load(name: str, folder: Path, number: int) -> Load:
    """Images of `images.py` without preamble and File Meta group."""
    path, instances = folder / f"{name}-{number}.bin", []
    with path.open("wb") as file:
        for image in make_images(KINDS[name], number):
            begin = 144 + int.from_bytes(image[140:144], "little")  # PS3.10 7.1: the group length counts what follows it
            at = image.index(UID_TAG, begin) + len(UID_TAG)
            length = int.from_bytes(image[at : at + 2], "little")
            uid = image[at + 2 : at + 2 + length].decode("ascii").rstrip("\0")
            instances.append((uid, file.tell(), len(image) - begin))
            file.write(memoryview(image)[begin:])
    return Load(name, KINDS[name], path, instances)


# --- one run ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """What all runs have in common.

    Args:
        folder: where all receivers keep their files, on one disk.
        calm: seconds to wait at most before a run until the machine does little else.
        is_imported: the clock ends when the catalogue has everything.
        settings: of Hilum, as environment variables.
        known: a data directory that Hilum begins with.
    """

    folder: Path
    calm: float
    is_imported: bool
    settings: dict[str, str]
    known: Path | None = None

    def comparable(self, kinds: Sequence[type[Receiver]]) -> list[type[Receiver]]:
        """Those whose clocks can end where ours does."""
        return [kind for kind in kinds if kind.has_catalogue or not self.is_imported]

    def run(self, kind: type[Receiver], load: Load, senders: int, *, is_one_each: bool = False) -> Result:
        """Start a receiver on an empty folder, and measure when what earlier runs left for the disk is on it."""
        with self.empty_folder() as folder:
            if self.known is not None:
                shutil.copytree(self.known, folder / "data")
            with kind(folder, self.settings if kind is HilumReceiver else None) as receiver:
                os.sync()
                wait_for_calm(self.calm)
                return self._measure(receiver, load, senders, is_one_each=is_one_each)

    def _measure(self, receiver: Receiver, load: Load, senders: int, *, is_one_each: bool) -> Result:
        before, door_before = receiver.cpu_seconds(), receiver.door_cpu_seconds()
        syntax = "1.2.840.10008.1.2.1"
        plan = Plan(
            receiver.dimse_port, receiver.called, senders, str(load.path), load.kind.sop_class_uid, syntax, load.instances, is_one_each
        )
        stored = store_apart(plan, receiver.folder).require_success()
        number = len(load.instances)
        ended = max(stored.ended, self._wait(receiver, number, stored.ended))
        used, door_used = receiver.cpu_seconds() - before, receiver.door_cpu_seconds() - door_before
        return Result(number / (ended - stored.began), sorted(stored.seconds), door_used / number, used / number)

    def _wait(self, receiver: Receiver, number: int, ended: float) -> float:
        count: Callable[[], int | None] = receiver.count_imported if self.is_imported else receiver.count_indexed
        until = time.monotonic() + PROBE_SECONDS
        asked = ended  # when the last answer was asked for: what was there then was there before
        while (found := count()) is not None and found < number:
            if time.monotonic() > until:
                raise BenchError(f"After {PROBE_SECONDS:.0f} s {receiver.name} knows {found} of {number} instances.")
            time.sleep(POLL_SECONDS)
            asked = time.monotonic()
        return asked

    @contextmanager
    def empty_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


# --- the tables ------------------------------------------------------------------------------------------------------------------


def alternate(
    bench: Bench, kinds: Sequence[type[Receiver]], load: Load, senders: int, runs: int, *, is_one_each: bool = False
) -> dict[str, list[Result]]:
    """Runs of all receivers in turn; prints a line each."""
    taking = [kind for kind in kinds if senders <= kind.most_associations]
    results: dict[str, list[Result]] = {kind.name: [] for kind in taking}
    for _ in range(runs):
        for kind in taking:
            results[kind.name].append(bench.run(kind, load, senders, is_one_each=is_one_each))
    for name, of_one in results.items():
        _print_row(name, of_one)
    return results


def _print_row(name: str, results: Sequence[Result]) -> None:
    rates = [result.rate for result in results]
    middle = statistics.median(quantile(result.replies, 0.50) for result in results)
    cpu, door = (1e3 * statistics.median(each) for each in ([one.cpu for one in results], [one.door_cpu for one in results]))
    said = f"reply p50 {1e3 * middle:6.1f} ms, p99 {1e3 * late_reply(results):6.1f} ms, CPU {door:5.2f} ms an instance"
    others = f" (with all processes {cpu:.2f})" if cpu > door else ""
    print(f"  {name:10} {median_rate(results):6.0f} instances/s ({min(rates):.0f}-{max(rates):.0f}), {said}{others}", flush=True)


def median_rate(results: Sequence[Result]) -> float:
    return statistics.median(result.rate for result in results)


def late_reply(results: Sequence[Result]) -> float:
    """The median of the runs' 99th percentiles, in seconds."""
    return statistics.median(quantile(result.replies, 0.99) for result in results)


def quantile(replies: Sequence[float], part: float) -> float:
    return replies[min(len(replies) - 1, int(len(replies) * part))]


def run_table(bench: Bench, kinds: Sequence[type[Receiver]], loads: Sequence[Load], associations: Sequence[int], runs: int) -> bool:
    """Associations that stay open."""
    ratios: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    verdicts = []
    for load in loads:
        for number in associations:
            print(f"\n{len(load.instances)} instances of {load.kind.size}, {number} association(s)", flush=True)
            results = alternate(bench, kinds, load, number, runs)
            for name, of_one in results.items():
                ratios[name].append(median_rate(results["hilum"]) / median_rate(of_one))
            if number == 16:
                verdicts.append(judge(f"reply p99 of {load.name}", late_reply(results["hilum"]), most=P99_SECONDS[load.name]))
            if load.name == "ct":
                used = statistics.median(result.door_cpu for result in results["hilum"])
                verdicts.append(judge("CPU seconds an instance", used, most=CPU_SECONDS))
    print()
    return all([*verdicts, *judge_ratios(ratios, {} if bench.is_imported else GOALS)])


def run_many(bench: Bench, kinds: Sequence[type[Receiver]], folder: Path, number: int, runs: int) -> bool:
    """An association an image."""
    print(f"\n{number} associations of one {MR.size} each, {MANY_SENDERS} senders at a time", flush=True)
    quick_ones = [kind for kind in kinds if kind.associates_quickly]
    results = alternate(bench, quick_ones, make_load("mr", folder, number), MANY_SENDERS, runs, is_one_each=True)
    ratios = {name: [median_rate(results["hilum"]) / median_rate(of_one)] for name, of_one in results.items()}
    return all(judge_ratios(ratios, MANY_GOALS))


def run_known(bench: Bench, loads: Sequence[Load], known: int, runs: int) -> bool:
    """Ours empty, and with so many instances indexed, in turn."""
    verdicts = []
    with bench.empty_folder() as folder:
        full = Bench(bench.folder, bench.calm, bench.is_imported, bench.settings, make_known(folder, known))
        for load in loads:
            print(
                f"\n{len(load.instances)} instances of {load.kind.size}, 4 associations, empty and with {known} instances indexed",
                flush=True,
            )
            results: tuple[list[Result], list[Result]] = [], []
            for _ in range(runs):
                for one, of_one in zip((bench, full), results, strict=True):
                    of_one.append(one.run(HilumReceiver, load, 4))
            for name, of_one in zip(("empty", "full"), results, strict=True):
                _print_row(name, of_one)
            verdicts.append(judge("full to empty", median_rate(results[1]) / median_rate(results[0]), least=SLOWER_AT_MOST))
    return all(verdicts)


def make_known(folder: Path, number: int) -> Path:
    """A data directory whose index has `number` synthetic rows, in one sealed pack that holds none of them."""
    with HilumReceiver(folder):
        pass
    data, pack_id, chance = folder / "data", "00000000-0000-4000-8000-000000000000", random.Random(1)
    (data / "packs" / f"{pack_id}.tar").write_bytes(bytes(1024))
    rows = ((pack_id, at * 530_000, chance.randbytes(32), f"1.2.3.{at}.dcm", f"{at // 1000:032x}") for at in range(number))
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger:
        values = "(?, 'received', 'sealed', 1024, 0, '2026-01-01 00:00:00')"
        ledger.execute(f"INSERT INTO packs (id, kind, state, size, seal_wanted, created_at) VALUES {values}", [pack_id])
        ledger.executemany(
            "INSERT INTO members (pack_id, offset, size, sha256, file_name, intake_id, state) VALUES (?, ?, 529000, ?, ?, ?, 'imported')",
            rows,
        )
        ledger.commit()
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return data


def judge_ratios(ratios: dict[str, list[float]], goals: dict[str, Goal]) -> Iterator[bool]:
    for name, found in ratios.items():
        if name != "hilum" and found:
            goal = goals.get(name, Goal(0.0))
            yield judge(f"hilum to {name}, geometric mean", statistics.geometric_mean(found), least=goal.mean)
            yield judge(f"hilum to {name}, least", min(found), least=goal.least)


def judge(what: str, value: float, *, least: float = 0.0, most: float = 0.0) -> bool:
    """Print a value and what it is to be."""
    is_met = value >= least and (not most or value <= most)
    goal = f"at least {least:g}" if least else f"at most {most:g}" if most else ""
    print(f"  {what}: {value:.4g}" + (f" (goal: {goal}): {'met' if is_met else 'MISSED'}" if goal else ""), flush=True)
    return is_met


def main() -> int:
    """Print the tables; 0 where all goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the whole, small")
    parser.add_argument("--whole", action="store_true", help="all tables in one run")
    parser.add_argument("--number", type=int, default=1000, help="instances")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where all servers keep their files")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--associations", default="1,2,4,16")
    parser.add_argument("--peers", default="orthanc,storescp,pynetdicom")
    parser.add_argument("--many", type=int, default=1000, help="associations of one image each")
    parser.add_argument("--imported", action="store_true")
    parser.add_argument("--indexed-before", type=int, default=0)
    parser.add_argument("--calm", type=float, default=0.0, metavar="SECONDS", help="wait at most so long before a run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an environment variable of ours")
    if "--quick" in sys.argv:
        parser.set_defaults(whole=True, **QUICK)
    given = parser.parse_args()
    wanted = {"hilum", *given.peers.split(",")}
    kinds = [kind for kind in RECEIVERS if kind.name in wanted and kind.is_there()]
    names, load = ", ".join(kind.name for kind in kinds), os.getloadavg()[0]
    print(f"{names}; medians of {given.runs} runs, lowest-highest; {os.cpu_count()} cores, load {load:.1f}")
    bench = Bench(given.folder, given.calm, given.imported, dict(pair.split("=", 1) for pair in given.set))
    associations = [int(number) for number in given.associations.split(",") if number]
    with bench.empty_folder() as folder:
        loads = [make_load(name, folder, given.number) for name in given.kind or KINDS]
        met = [run_table(bench, bench.comparable(kinds), loads, associations, given.runs)]
        if given.many:
            met.append(run_many(bench, bench.comparable(kinds), folder, given.many, given.runs))
        if given.indexed_before:
            met.append(run_known(bench, loads, given.indexed_before, given.runs))
        if given.whole:
            print("\nUntil the catalogue is complete:")
            imported = replace(bench, is_imported=True)
            met.append(run_table(imported, imported.comparable(kinds), loads, associations, given.runs))
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
