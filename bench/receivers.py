"""The receivers of C-STORE that are measured beside each other: `hilum serve`, Orthanc, DCMTK's storescp, pynetdicom's storescp.

All keep what they are sent below their folder, as each does by default; only Hilum makes it durable before the reply and knows afterwards
what it has. DCMTK is given what makes it fast: the longest PDU it takes, and no delay of small packets.
"""

import importlib.util
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from servers import READY_SECONDS, BenchError, Hilum, Orthanc, Server, cpu_seconds_of, free_port, tree_of


class Receiver(Server):
    """A server of C-STORE.

    Args:
        folder: where it keeps everything.
        settings: environment variables for it.
    """

    called = "BENCH"
    has_catalogue = False
    most_associations = 1000
    associates_quickly = True

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self.dimse_port = free_port()

    @staticmethod
    def is_there() -> bool:
        raise NotImplementedError

    def count_indexed(self) -> int | None:
        """How many instances its index has; None: it keeps none."""
        return None

    def count_imported(self) -> int | None:
        """How many instances its catalogue has; None: it keeps none."""
        return None

    def cpu_seconds(self) -> float:
        """What all its processes have used."""
        assert self.process is not None
        return cpu_seconds_of(self.process.pid)

    def door_cpu_seconds(self) -> float:
        """What the receiving processes have used."""
        return self.cpu_seconds()

    def wait_until_ready(self, stdout: IO[bytes]) -> None:  # noqa: ARG002 - those that say something override this
        assert self.process is not None
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.dimse_port), 1):
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} does not listen.\n{self.last_words()}")


class HilumReceiver(Receiver, Hilum):
    """`hilum serve` as it is by default."""

    name = "hilum"
    called = "HILUM"
    has_catalogue = True

    @staticmethod
    def is_there() -> bool:
        return True

    def command(self) -> Sequence[str]:
        return (*super().command(), "--dimse", f"127.0.0.1:{self.dimse_port}")

    def wait_until_ready(self, stdout: IO[bytes]) -> None:
        Hilum.wait_until_ready(self, stdout)
        self._before = self._query("SELECT coalesce(max(key), 0) FROM members")

    def count_indexed(self) -> int:
        return self._query("SELECT count(*) FROM members WHERE key > ?", self._before)

    def count_imported(self) -> int:
        return self._query("SELECT count(*) FROM members WHERE key > ? AND state = 'imported'", self._before)

    def door_cpu_seconds(self) -> float:
        assert self.process is not None
        return sum(cpu_seconds_of(pid) for pid in tree_of(self.process.pid) if b"\0dimse\0" in _command_line(pid))

    def _query(self, query: str, *values: int) -> int:
        path = self.folder / "data" / "ledger.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as ledger:
            return int(ledger.execute(query, values).fetchone()[0])


class OrthancReceiver(Receiver, Orthanc):
    """Orthanc by default: SQLite index, every file synced."""

    name = "orthanc"
    called = "ORTHANC"
    has_catalogue = True

    @staticmethod
    def is_there() -> bool:
        return Orthanc.program() is not None

    def configuration(self) -> Mapping[str, object]:
        asked = {"DicomServerEnabled": True, "DicomPort": self.dimse_port, "DicomAet": self.called, "DicomAlwaysAllowStore": True}
        return {**super().configuration(), **asked}

    def wait_until_ready(self, stdout: IO[bytes]) -> None:
        Orthanc.wait_until_ready(self, stdout)

    def count_indexed(self) -> int:
        return int(self.call("GET", "/statistics")["CountInstances"])

    count_imported = count_indexed


class Storescp(Receiver):
    """DCMTK: a process an association, PDUs of 128 KB, data sets written as they come."""

    name = "storescp"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, {**(settings or {}), "TCP_NODELAY": "1"})

    @staticmethod
    def is_there() -> bool:
        return shutil.which("storescp") is not None

    def command(self) -> Sequence[str]:
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        return ("storescp", "--fork", "--bit-preserving", "--max-pdu", "131072", "--output-directory", str(kept), str(self.dimse_port))


class PynetdicomStorescp(Receiver):
    """pynetdicom's own storescp application."""

    name = "pynetdicom"
    most_associations = 10  # it rejects the eleventh
    associates_quickly = False  # each association takes it 80 ms of CPU

    @staticmethod
    def is_there() -> bool:
        return importlib.util.find_spec("pynetdicom") is not None

    def command(self) -> Sequence[str]:
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        options = ("--quiet", "--max-pdu", "131072", "--output-directory", str(kept))
        return (sys.executable, "-m", "pynetdicom", "storescp", str(self.dimse_port), *options)


RECEIVERS: tuple[type[Receiver], ...] = (HilumReceiver, OrthancReceiver, Storescp, PynetdicomStorescp)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended while we looked
        return b""
