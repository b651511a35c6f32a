"""How long a start takes to make packs whole after a kill -9: ten gigabytes of them, the last ones durable and not yet indexed.

    python bench/recovery.py [--gigabytes 10] [--unindexed 1000] [--folder DIR]

A process of its own writes packs as the DIMSE door does and kills itself, the index being told nothing of the last instances. Then the time
of `recover_packs` is taken, which a start runs before it serves: sealed packs are not read, an open one from its last indexed member on.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from hilum.model.identity import SYSTEM
from hilum.model.members import MemberNote, StoredMember
from hilum.runtime.assembling import assemble, open_pool
from hilum.runtime.preparing import prepare, recover_packs
from hilum.runtime.settings import Settings, load_settings
from hilum.stores.intakes import NewIntake
from images import CT, make_images

SECONDS_AT_MOST = 5.0
BATCH = 32  # instances a sync


def write_and_die(settings: Settings, number: int, unindexed: int) -> None:
    """Store `number` instances, of which the last `unindexed` are not told to the index, and end by kill -9."""
    app, is_deaf = assemble(settings), threading.Event()
    tell = app.intakes.index

    def index(members: Sequence[StoredMember]) -> None:
        if is_deaf.is_set():
            threading.Event().wait()
        tell(members)

    app.intakes.index = index  # type: ignore[method-assign]
    pool = open_pool(app, "received", indexes_behind=True)
    intake = app.intakes.start(SYSTEM, NewIntake("admin", "dimse", sender="BENCH"))
    image = next(make_images(CT, 1))
    digest = hashlib.sha256(image).digest()
    for at in range(0, number, BATCH):
        if at >= number - unindexed and not is_deaf.is_set():
            pool.settle()
            is_deaf.set()
        notes = [MemberNote("admin", "dimse", app.clock(), intake.id, f"1.2.3.{at + more}", kind="received") for more in range(BATCH)]
        pool.store_all([(image, note, digest) for note in notes])
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Print the time; 0 where the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--unindexed", type=int, default=1000, help="instances of 512 KB")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    number = max(int(given.gigabytes * 1e9 / (CT.side * CT.side * 2)), given.unindexed)
    if given.write is not None:
        write_and_die(load_settings(data=given.write), number, given.unindexed)
    with tempfile.TemporaryDirectory(prefix="hilum-bench-", dir=given.folder) as folder:
        settings = load_settings(data=Path(folder) / "data")
        prepare(settings)
        same = ("--gigabytes", str(given.gigabytes), "--unindexed", str(given.unindexed))
        subprocess.run([sys.executable, __file__, *same, "--write", str(settings.data)], check=False)
        return measure(settings)


def measure(settings: Settings) -> int:
    """Recover what the killed process left."""
    paths = list(settings.packs.glob("*.tar"))
    size = sum(path.stat().st_size for path in paths)
    os.sync()
    for path in paths:
        with path.open("rb") as pack:
            os.posix_fadvise(pack.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # as after a power cut: nothing is in memory
    app = assemble(settings)
    begun = time.monotonic()
    found = recover_packs(app)
    took = time.monotonic() - begun
    app.close()
    verdict = "met" if took <= SECONDS_AT_MOST else "MISSED"
    print(f"{len(paths)} packs, {size / 1e9:.1f} GB: {found} instances found and indexed in {took:.2f} s, load {os.getloadavg()[0]:.1f}")
    print(f"  goal: at most {SECONDS_AT_MOST:g} s: {verdict}")
    return 0 if took <= SECONDS_AT_MOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
