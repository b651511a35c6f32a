"""Counters of the DIMSE processes, for the web process to show: each writes a small file of its own, and takes it away at its end."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hilum.doors.dimse_watching import Counts
from hilum.runtime.holding import is_running

FOLDER = "counts"


def publish(counts: Counts, data: Path) -> None:
    """Write what this process has counted."""
    path = _path(data, os.getpid())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(
        json.dumps(
            {
                "associations": dict(counts.associations),
                "refusals": dict(counts.refusals),
                "instances": counts.instances,
                "bytes": counts.bytes,
                "echoes": counts.echoes,
                "open": counts.open,
                "replies": counts.replies,
                "reply_seconds": counts.reply_seconds,
            }
        )
    )
    half.replace(path)


def withdraw(data: Path) -> None:
    """This process ends."""
    _path(data, os.getpid()).unlink(missing_ok=True)


def collect(data: Path) -> Counts:
    """The sum over all DIMSE processes that run."""
    total = Counts()
    for path in sorted((data / FOLDER).glob("dimse-*.json")):
        if not is_running(int(path.stem.removeprefix("dimse-"))):
            path.unlink(missing_ok=True)  # it was killed
            continue
        for one in _read(path):
            _add(total, one)
    return total


def _read(path: Path) -> Iterator[Counts]:
    """None where the process has ended meanwhile."""
    try:
        known = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    yield Counts(**known | {name: Counter(known[name]) for name in ("associations", "refusals")})


def _add(total: Counts, one: Counts) -> None:
    total.associations += one.associations
    total.refusals += one.refusals
    total.instances += one.instances
    total.bytes += one.bytes
    total.echoes += one.echoes
    total.open += one.open
    total.replies = [a + b for a, b in zip(total.replies, one.replies, strict=True)]
    total.reply_seconds += one.reply_seconds


def _path(data: Path, pid: int) -> Path:
    return data / FOLDER / f"dimse-{pid}.json"
