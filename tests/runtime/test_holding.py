"""One server a data directory: whoever comes second learns who was first, orphans count, network file systems are refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hilum.runtime import holding
from hilum.runtime.holding import DataDirectoryError, DataDirectoryHeldError, DataDirectoryLock, Mount, mount_of, read_holder

PATIENCE = 20.0
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's /proc tells which processes hold a lock")

HOLD = """
import sys, subprocess
from pathlib import Path
from hilum.runtime.holding import DataDirectoryLock
lock = DataDirectoryLock.acquire(Path(sys.argv[1]), 'hilum serve --data there')
{then}
print('held', flush=True)
sys.stdin.read()
"""
LEAVE_A_CHILD = """
child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, pass_fds=[lock.descriptor])
print(child.pid, flush=True)
"""


def start_holder(directory: Path, then: str = "") -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", HOLD.format(then=then), str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def read_line(holder: "subprocess.Popen[bytes]") -> bytes:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds `tmp_path`."""
    process = start_holder(tmp_path)
    assert read_line(process) == b"held"
    yield process
    process.kill()
    process.communicate()


def test_a_missing_data_directory_is_made_for_its_owner_alone(tmp_path: Path):
    with DataDirectoryLock.acquire(tmp_path / "new" / "place", "hilum serve"):
        assert (tmp_path / "new" / "place").stat().st_mode & 0o077 == 0


def test_the_lock_file_names_its_holder(tmp_path: Path):
    with DataDirectoryLock.acquire(tmp_path, "hilum serve"):
        holder = read_holder(tmp_path)

    assert holder is not None
    assert (holder.pid, holder.command) == (os.getpid(), "hilum serve")


def test_a_second_server_is_told_who_holds_the_directory(tmp_path: Path, holder):
    started = time.monotonic()

    with pytest.raises(DataDirectoryHeldError) as caught:
        DataDirectoryLock.acquire(tmp_path, "hilum serve", patience_seconds=0.3)

    assert 0.3 <= time.monotonic() - started < 5
    assert f"`hilum serve --data there` (process {holder.pid} on " in caught.value.sentence
    assert "--data" in caught.value.mend


def test_nobody_waits_longer_than_five_seconds(tmp_path: Path, holder):
    started = time.monotonic()

    with pytest.raises(DataDirectoryHeldError):
        DataDirectoryLock.acquire(tmp_path, "hilum serve")

    assert 4.9 <= time.monotonic() - started < 6


def test_the_second_does_not_overwrite_the_name_of_the_first(tmp_path: Path, holder):
    with pytest.raises(DataDirectoryHeldError):
        DataDirectoryLock.acquire(tmp_path, "another", patience_seconds=0)

    first = read_holder(tmp_path)
    assert first is not None and first.pid == holder.pid


def test_a_holder_that_is_killed_leaves_the_directory_free(tmp_path: Path, holder):
    holder.kill()

    with DataDirectoryLock.acquire(tmp_path, "hilum serve"):
        successor = read_holder(tmp_path)
    assert successor is not None and successor.pid == os.getpid()


def test_waiting_ends_when_the_holder_does(tmp_path: Path):
    # The holder ends by itself while we wait: it is told to by the end of its input.
    process = start_holder(tmp_path, "import threading; threading.Timer(0.5, lambda: __import__('os')._exit(0)).start()")
    assert read_line(process) == b"held"

    with DataDirectoryLock.acquire(tmp_path, "hilum serve"):
        assert process.wait(PATIENCE) == 0
    process.communicate()


def test_an_orphan_that_inherited_the_lock_keeps_a_new_server_out(tmp_path: Path):
    process = start_holder(tmp_path, LEAVE_A_CHILD)
    orphan = int(read_line(process))
    assert read_line(process) == b"held"
    process.kill()
    process.communicate()

    try:
        with pytest.raises(DataDirectoryHeldError) as caught:
            DataDirectoryLock.acquire(tmp_path, "hilum serve", patience_seconds=0.1)
        assert f"(process {process.pid} on" in caught.value.sentence
        assert "left behind" in caught.value.sentence
        if sys.platform == "linux":
            assert f"kill {orphan}." in caught.value.mend
    finally:
        os.kill(orphan, signal.SIGKILL)

    DataDirectoryLock.acquire(tmp_path, "hilum serve").close()


@LINUX_ONLY
def test_one_that_only_waits_is_not_named(tmp_path: Path, holder):
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)

    assert list(holding._pids_with_lock(tmp_path / "lock")) == [holder.pid]
    os.close(descriptor)


def test_a_holder_that_has_not_yet_written_its_name_is_somebody(tmp_path: Path, holder):
    (tmp_path / "lock").write_bytes(b"")

    with pytest.raises(DataDirectoryHeldError, match="held by another process"):
        DataDirectoryLock.acquire(tmp_path, "hilum serve", patience_seconds=0)


def test_a_file_in_place_of_the_directory_is_refused_with_the_mend(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(DataDirectoryError) as caught:
        DataDirectoryLock.acquire(tmp_path / "file", "hilum serve")
    assert str(tmp_path / "file") in caught.value.sentence
    assert "--data" in caught.value.mend


# --- network file systems ---

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 27 0:44 / /mnt/share rw,relatime shared:3 master:1 - nfs4 server:/export rw,vers=4.2
41 27 0:45 / /mnt/two\040words rw,relatime - cifs //server/share rw
42 40 254:1 / /mnt/share/local rw - xfs /dev/vdb rw
43 27 0:46 / /mnt/over rw - nfs server:/old rw
44 43 254:2 / /mnt/over rw - ext4 /dev/vdc rw
"""
MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//alex@server._smb._tcp.local/share on /Volumes/our share (1) (smbfs, nodev, nosuid, mounted by alex)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
"""


@pytest.mark.parametrize(
    ("path", "file_system"),
    [
        ("/var/lib/hilum", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/hilum", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/two words/hilum", "cifs"),
        ("/mnt/share/local/hilum", "xfs"),
        ("/mnt/over/hilum", "ext4"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_its_deepest_and_last_mount(path: str, file_system: str):
    mount = mount_of(Path(path), holding.parse_linux_mounts(MOUNTINFO))

    assert mount is not None and mount.file_system == file_system


@pytest.mark.parametrize(
    ("path", "file_system"), [("/Users/alex", "apfs"), ("/Volumes/our share (1)/hilum", "smbfs"), ("/System/Volumes/Data/home/a", "autofs")]
)
def test_mounts_of_macos_are_understood(path: str, file_system: str):
    mount = mount_of(Path(path), holding.parse_macos_mounts(MACOS))

    assert mount is not None and mount.file_system == file_system


@pytest.mark.parametrize("file_system", sorted(holding.NETWORK_FILE_SYSTEMS))
def test_a_data_directory_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_system: str):
    monkeypatch.setattr(holding, "list_mounts", lambda: [Mount(Path("/"), "ext4"), Mount(tmp_path.resolve(), file_system)])

    with pytest.raises(DataDirectoryError) as caught:
        DataDirectoryLock.acquire(tmp_path / "new", "hilum serve")
    assert file_system in caught.value.sentence
    assert "disk of this machine" in caught.value.mend
    assert not (tmp_path / "new").exists()


def test_a_link_to_a_network_file_system_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    mounts = [Mount(Path("/"), "ext4"), Mount((tmp_path / "share").resolve(), "nfs4")]
    monkeypatch.setattr(holding, "list_mounts", lambda: mounts)

    with pytest.raises(DataDirectoryError, match="nfs4"):
        DataDirectoryLock.acquire(tmp_path / "link" / "hilum", "hilum serve")


def test_the_mounts_of_this_machine_are_listed(tmp_path: Path):
    assert mount_of(tmp_path.resolve(), holding.list_mounts()) is not None
