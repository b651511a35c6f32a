"""What it costs to have Hilum: seconds until `hilum serve` is ready, memory of all its processes when idle, seconds of `hilum --help`.

    python bench/footprint.py [--folder DIR]

Memory is the proportional set size of the supervisor and everything below it (/proc/PID/smaps_rollup, Linux). One run before the others
is not counted: as any first start does, it may find modules that are not compiled yet.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from servers import HILUM, Hilum, environment, tree_of

READY_SECONDS, IDLE_MEGABYTES, HELP_SECONDS = 3.0, 250.0, 0.3
SETTLE_SECONDS = 5.0
TIMES = 5


def time_help() -> float:
    """Seconds of `hilum --help`."""
    begun = time.perf_counter()
    subprocess.run([*HILUM, "--help"], check=True, capture_output=True, env=environment())
    return time.perf_counter() - begun


def time_start(parent: Path) -> tuple[float, dict[str, float]]:
    """Seconds until an empty server is ready, and megabytes by process, when it has done nothing for a while."""
    folder = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=parent))
    try:
        with Hilum(folder) as server:
            time.sleep(SETTLE_SECONDS)
            assert server.process is not None
            return server.ready_seconds, {name_of(pid): megabytes_of(pid) for pid in tree_of(server.process.pid)}
    finally:
        shutil.rmtree(folder)


def megabytes_of(pid: int) -> float:
    """proc(5), /proc/pid/smaps_rollup: pages that processes share count in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def name_of(pid: int) -> str:
    """`4711 hilum web`."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return f"{pid} hilum {words[words.index('hilum') + 1]}" if "hilum" in words else f"{pid} {words[0]}"


def tell(what: str, values: Sequence[float], unit: str, most: float) -> bool:
    """Print the best of several values and whether it is below the goal."""
    best, worst = min(values), max(values)
    verdict = "met" if best < most else "MISSED"
    print(f"{what:14} {best:7.2f} {unit} (best of {len(values)}, worst {worst:.2f}), goal below {most:g}: {verdict}")
    return best < most


def main() -> int:
    """Print a line a goal; 0 where all are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    starts = [time_start(given.folder) for _ in range(TIMES)][1:]
    helps = [time_help() for _ in range(TIMES + 1)][1:]
    is_met = [
        tell("ready after", [seconds for seconds, _ in starts], "s", READY_SECONDS),
        tell("help after", helps, "s", HELP_SECONDS),
        tell("idle memory", [sum(memory.values()) for _, memory in starts], "MB", IDLE_MEGABYTES),
    ]
    for name, megabytes in starts[-1][1].items():
        print(f"  {megabytes:6.1f} MB  {name}")
    return 0 if all(is_met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
