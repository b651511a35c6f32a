"""kill -9 of the DIMSE process while senders send: what was answered with 0x0000 is there, bit-equal, in one place of the ledger."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from hilum.dicom.part10 import recognise
from hilum.runtime.assembling import assemble
from hilum.runtime.private_server import PrivateServer
from hilum.runtime.settings import Settings
from hilum.runtime.supervised import ChildState, read_children
from hilum.stores.packs import scan
from hilum.stores.schema import members

KILLS = int(os.environ.get("HILUM_KILLS", "5"))  # the long form has 200


def dimse_child(data: Path, without: int | None = None) -> ChildState:
    """The DIMSE process that takes associations, and is not the one with the pid `without`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in read_children(data):
            if child.name == "dimse 1" and child.is_ready and child.pid not in (None, without):
                return child
        time.sleep(0.02)  # a file tells nobody that it changed
    raise AssertionError("the DIMSE process is not started again")


def send_and_kill(server: PrivateServer, data: Path, load: Path, images: Path, history: Path, seconds: float) -> set[tuple[str, str]]:
    """(SOP Instance UID, SHA-256 of the data set) of what was acknowledged until the kill."""
    host, port = server.dimse.split(":")
    options = ("--associations", "2", "--calling", "kp-killed", "--rekey", "--limit", "60", "--history", str(history))
    child = dimse_child(data)
    command = [sys.executable, str(load), host, port, str(images), *options]
    sending = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    try:
        sending.wait(60)
    except subprocess.TimeoutExpired:  # the tool waits for ever for an association that the kill cut off before it sent anything
        os.killpg(sending.pid, signal.SIGKILL)
        sending.wait()
    dimse_child(data, without=child.pid)
    lines = [line.split() for line in history.read_text().splitlines()] if history.exists() else []
    return {(uid, sha256) for uid, sha256, status, _ in lines if status == "0000"}


def kept_in(data: Path) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for path in (data / "packs").glob("*.tar"):
        content = path.read_bytes()
        for one in scan(path):
            if one.member.note.door == "dimse":
                member = content[one.member.offset : one.member.offset + one.member.size]
                recognition = recognise(member[:4096])
                assert recognition is not None
                digest = hashlib.sha256(member[recognition.data_set_offset :]).hexdigest()
                found[recognition.media_storage_sop_instance_uid, digest] += 1
    return found


@pytest.mark.slow
def test_no_kill_loses_what_was_acknowledged(tmp_path: Path, shared_data: Path) -> None:  # 40
    load = shared_data.parent / "tools" / "cstore_load.py"
    data, chance, acknowledged = tmp_path / "data", random.Random(3), set()
    options = ["--dimse", "127.0.0.1:0", "--workers", "1"]
    with PrivateServer(data, options) as server:
        for number in range(KILLS):
            history = tmp_path / f"history{number}"
            seconds = chance.uniform(0.6, 1.4)
            acknowledged |= send_and_kill(server, data, load, shared_data / "mr_t1_sagittal_160", history, seconds)
    with PrivateServer(data, options):
        pass  # a start makes whole what the kills left
    assert acknowledged, "nothing was acknowledged before any kill"
    kept = kept_in(data)
    assert acknowledged <= set(kept)
    assert set(kept.values()) == {1}
    settings = Settings(data=data)
    app = assemble(settings)
    try:
        with app.database.reading() as connection:
            indexed = Counter(connection.scalars(select(members.c.file_name).where(members.c.state != "made")))
    finally:
        app.close()
    assert {f"{uid}.dcm" for uid, _ in acknowledged} <= set(indexed)
    assert set(indexed.values()) == {1}
