"""What a data directory holds when its server has ended, read by plain means: SQL, file offsets, digests, and `hilum verify`.

Every check yields its troubles as sentences; nothing means that all is well.
"""

import hashlib
import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from servers import HILUM, environment

INSTANCES = """
    SELECT instances.sop_instance_uid AS uid, members.pack_id, members.offset, members.size, hex(members.sha256) AS sha256
    FROM instances JOIN members ON members.key = instances.member_key
"""
WORKITEMS = """
    SELECT workitems.id, workitems.study_id, items.stage, items.status, items.why,
           (SELECT count(*) FROM moves WHERE item_id = workitems.id AND to_status = 'finished') AS endings,
           (SELECT count(*) FROM receipts WHERE workitem_id = workitems.id) AS receipts
    FROM workitems JOIN items ON items.id = workitems.id
"""


def check_instances(ledger: sqlite3.Connection, data: Path, images: Mapping[str, bytes]) -> Iterator[str]:
    """Every acknowledged instance (SHA-256 -> its bytes): there, bit-equal, once."""
    rows = list(ledger.execute(INSTANCES))
    for uid, times in Counter(row["uid"] for row in rows).items():
        if times != 1:
            yield f"Instance {uid} is in the catalogue {times} times."
    held = {row["sha256"].lower(): row for row in rows}
    for sha256, image in images.items():
        row = held.get(sha256)
        if row is None:
            yield f"The acknowledged instance with SHA-256 {sha256} is not in the catalogue."
        elif read_bytes(data / "packs" / f"{row['pack_id']}.tar", row["offset"], row["size"]) != image:
            yield f"Instance {row['uid']} has other bytes in pack {row['pack_id']} at {row['offset']}."


def read_bytes(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def check_workitems(ledger: sqlite3.Connection, data: Path, template: str, place: str) -> Iterator[str]:
    """Every study: one workitem, finished once, delivered once and whole."""
    rows = list(ledger.execute(WORKITEMS))
    studies = {row["id"] for row in ledger.execute("SELECT id FROM studies")}
    for study_id in studies:
        its = [row for row in rows if row["study_id"] == study_id]
        if len(its) != 1:
            yield f"Study {study_id} has {len(its)} workitems."
    there = data / "delivered" / place
    for row in rows:
        if (row["status"], row["endings"], row["receipts"]) != ("finished", 1, 1):
            standing = f"{row['stage']}/{row['status']} ({row['why']})"
            yield f"Workitem {row['id']} is {standing}, was finished {row['endings']} times, has {row['receipts']} receipts."
        yield from check_delivery(there / f"{template}-{row['id']}")
    folders = {path.name for path in there.iterdir()} if there.is_dir() else set()
    if strangers := folders - {f"{template}-{row['id']}" for row in rows}:
        yield f"The destination has what no workitem delivered: {sorted(strangers)}."


def check_delivery(folder: Path) -> Iterator[str]:
    """The files of the manifest, all of them, nothing else."""
    if not (folder / "manifest.json").is_file():
        yield f"{folder.name} was not delivered."
        return
    files = json.loads((folder / "manifest.json").read_text())["files"]
    if not any(file["name"].endswith(".nii.gz") for file in files):
        yield f"{folder.name} has no image."
    for file in files:
        if hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() != file["sha256"]:
            yield f"{folder.name}/{file['name']} is not what was made."
    if {path.name for path in folder.iterdir()} != {"manifest.json", *(file["name"] for file in files)}:
        yield f"{folder.name} holds other files than its manifest."


def check_verify(data: Path) -> Iterator[str]:
    """`hilum verify`, as an operator runs it."""
    done = subprocess.run([*HILUM, "verify", "--data", str(data), "--json"], capture_output=True, text=True, env=environment(), check=False)
    if done.returncode != 0:
        yield f"hilum verify exited with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}"


def check_processes(data: Path) -> Iterator[str]:
    """What was started for this data directory has ended."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_text().replace("\0", " ")
            if str(data) in words:
                yield f"Process {process.name} is left: {words}"


def check_all(data: Path, images: Mapping[str, bytes], template: str, place: str) -> list[str]:
    """Every trouble as a sentence.

    Args:
        data: of a server that has ended.
        images: what was acknowledged, by SHA-256 in hexadecimal.
        template: what every study was sent for.
        place: the path of its destination `folder`.
    """
    with closing(sqlite3.connect(f"file:{data / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        ledger.row_factory = sqlite3.Row
        troubles = [*check_instances(ledger, data, images), *check_workitems(ledger, data, template, place)]
    return [*troubles, *check_verify(data), *check_processes(data)]
