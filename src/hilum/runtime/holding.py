"""One server a data directory: an exclusive flock that the server shares with its children, on a disk of this machine.

An flock belongs to the open file, not to the process: children that inherit the descriptor hold it too, and it is free only when the
last of them has ended. So a new server never runs beside a child that an earlier one left behind. It must never be unlocked, only closed.
"""

import fcntl
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from hilum.model.errors import HilumError

LOCK_FILE = "lock"
PATIENCE_SECONDS = 5.0
_TRY_EVERY_SECONDS = 0.05  # flock knows no timeout, and a thread that blocks in it could not be called back

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs",  # flock and fdatasync are the server's business; SQLite's WAL needs memory shared by all its users
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afpfs",
        "webdav",
        "9p",  # WSL's /mnt/c and folders shared with a virtual machine: shared memory is not coherent
        "drvfs",
        "vboxsf",
        "fuse.vmhgfs-fuse",
        "afs",
        "ceph",
        "fuse.ceph",
        "lustre",
        "beegfs",
        "gpfs",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.davfs",
        "fuse.grpcfuse",  # Docker Desktop's folders of the host
        "fuse.osxfs",
    }
)
"""Types of file systems, as Linux and macOS name them, on which neither SQLite's WAL nor a promise of stable storage can be relied on."""


class DataDirectoryError(HilumError):
    """The data directory cannot be used."""

    kind = "data-directory"


class DataDirectoryHeldError(DataDirectoryError):
    """Another server, or what it left behind, holds the data directory."""

    kind = "data-directory-held"


@dataclass(frozen=True)
class Holder:
    """Who took a lock, as the lock file tells."""

    pid: int
    host: str
    started_at: str  # UTC, RFC 3339
    command: str

    @classmethod
    def this_process(cls, command: str) -> "Holder":
        return cls(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"), command)

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid} on {self.host}, started {self.started_at})"


class DataDirectoryLock:
    """The exclusive right to a data directory; free when this process and all children that inherited `descriptor` have ended."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, directory: Path, command: str, patience_seconds: float = PATIENCE_SECONDS) -> "DataDirectoryLock":
        """Make the directory where it is missing, and lock it, waiting at most `patience_seconds` for an earlier holder.

        Args:
            command: what the holder is doing, for the one who finds the directory held: `hilum serve --data DIR`.

        Raises:
            DataDirectoryHeldError: somebody else holds it; the sentence names who.
            DataDirectoryError: it lies on a network file system, or cannot be made or locked.
        """
        directory = directory.absolute()
        refuse_network_file_system(directory)
        descriptor = _open(directory)
        try:
            _wait_for_lock(descriptor, directory, time.monotonic() + patience_seconds)
            _write_holder(descriptor, Holder.this_process(command))
        except OSError as error:
            os.close(descriptor)
            raise _unusable(directory, error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return cls(directory, descriptor)

    def close(self) -> None:
        """Let go of it; children that inherited it keep it."""
        os.close(self.descriptor)

    def __enter__(self) -> "DataDirectoryLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(directory: Path) -> int:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(directory, error) from error


def _unusable(directory: Path, error: OSError) -> DataDirectoryError:
    return DataDirectoryError(
        f"The data directory {directory} cannot be used: {error.strerror or error}.",
        "Name with --data a folder that this user may write to, on a disk of this machine.",
    )


def _wait_for_lock(descriptor: int, directory: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _held(directory) from None
            time.sleep(_TRY_EVERY_SECONDS)
        else:
            return


def _write_holder(descriptor: int, holder: Holder) -> None:
    # Written over the last one before it is cut to length: that needs no room on a full disk.
    written = os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
    os.ftruncate(descriptor, written)


# --- who holds it ----------------------------------------------------------------------------------------------------------------


def _held(directory: Path) -> DataDirectoryHeldError:
    path = directory / LOCK_FILE
    holder = read_holder(directory)
    pids = sorted(_pids_with_lock(path))
    if holder is None:
        return DataDirectoryHeldError(f"The data directory {directory} is held by another process.", _mend_for(path, pids))
    if holder.host != socket.gethostname() or holder.pid in pids or (not pids and is_running(holder.pid)):
        return DataDirectoryHeldError(f"The data directory {directory} is held by {holder}.", "Stop it, or choose another with --data.")
    return DataDirectoryHeldError(
        f"The data directory {directory} is still held by a process that {holder} left behind when it ended.", _mend_for(path, pids)
    )


def _mend_for(path: Path, pids: Sequence[int]) -> str:
    if pids:
        return f"It should end by itself within seconds; else end it: kill {' '.join(map(str, pids))}."
    return f"It should end by itself within seconds; else see who it is: lsof {shlex.quote(str(path))}."


def read_holder(directory: Path) -> Holder | None:
    """Who last took the lock of a data directory; None where it does not tell (yet)."""
    try:
        return Holder(**json.loads((directory / LOCK_FILE).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None  # it was taken a moment ago and is not yet written


def is_running(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pids_with_lock(path: Path) -> Iterator[int]:
    """The processes of this user that hold the flock; none where the system has no Linux /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked, or is another user's
            if any(_holds_lock(process, descriptor, path) for descriptor in (process / "fd").iterdir()):
                yield int(process.name)


def _holds_lock(process: Path, descriptor: Path, path: Path) -> bool:
    try:
        # proc(5), /proc/pid/fdinfo: a `lock:` line stands with a descriptor through which a lock is held, not with one that only waits.
        return descriptor.samefile(path) and "FLOCK" in (process / "fdinfo" / descriptor.name).read_text()
    except FileNotFoundError:
        return False  # it was closed while we looked, or is no file


# --- where it lies ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mount:
    """A mounted file system."""

    point: Path
    file_system: str


def refuse_network_file_system(directory: Path) -> None:
    """Check that a directory, which need not exist yet, lies on a disk of this machine.

    Raises:
        DataDirectoryError: it does not.
    """
    mount = mount_of(directory.resolve(), list_mounts())
    if mount is not None and mount.file_system in NETWORK_FILE_SYSTEMS:
        raise DataDirectoryError(
            f"The data directory {directory} lies on a network file system ({mount.file_system}, mounted at {mount.point}),"
            " where neither the ledger nor the promise of stable storage would hold.",
            "Name with --data a folder on a disk of this machine.",
        )


def mount_of(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """The mount that a resolved path lies in: the deepest, and of several at one place the last mounted, which hides the others."""
    containing = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(containing), key=lambda mount: len(mount.point.parts), default=None)


def list_mounts() -> list[Mount]:
    """What is mounted here, in the order of mounting; nothing on a system that is neither Linux nor macOS."""
    if sys.platform == "darwin":
        return parse_macos_mounts(subprocess.run(["/sbin/mount"], check=True, capture_output=True, text=True).stdout)
    try:
        return parse_linux_mounts(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    except FileNotFoundError:
        return []


def parse_linux_mounts(mountinfo: str) -> list[Mount]:
    """proc(5), /proc/pid/mountinfo: the fifth field is the mount point, the one after the lone hyphen the type."""
    fields = [line.split(" ") for line in mountinfo.splitlines()]
    return [Mount(Path(_unescape(line[4])), line[line.index("-", 6) + 1]) for line in fields]


def _unescape(text: str) -> str:
    # proc(5): space, tab, newline and backslash stand as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def parse_macos_mounts(output: str) -> list[Mount]:
    """mount(8): `//user@server/share on /Volumes/share (smbfs, nodev, nosuid)`."""
    found = (re.fullmatch(r".+? on (/.*) \(([^,)]+).*\)", line) for line in output.splitlines())
    return [Mount(Path(match[1]), match[2]) for match in found if match]
