"""What a child of the supervisor does with what it inherits: it ends when the supervisor does, says when it is ready, takes its socket.

end_with_supervisor()           # first of all
listening = take_socket("http")
...
report_ready()
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hilum.model.errors import HilumError

LIVENESS_VARIABLE = "HILUM_LIVENESS_FD"
STATUS_VARIABLE = "HILUM_STATUS_FD"
PARENT_VARIABLE = "HILUM_PARENT_FD"
CHILDREN_FILE = "children.json"

GRACE_SECONDS = 3.0
"""From the supervisor's end to ours. Less than a new start waits for the lock that we hold."""


def socket_variable(name: str) -> str:
    """The environment variable that holds the file descriptor of a named socket: HILUM_HTTP_FD."""
    return f"HILUM_{name.upper()}_FD"


def take_descriptor(variable: str, environment: Mapping[str, str] = os.environ) -> int:
    """A file descriptor that was inherited, not to be inherited further.

    Raises:
        HilumError: the supervisor did not start this process.
    """
    if variable not in environment:
        raise HilumError("This command is a part of `hilum serve` and is started by it.", "Start `hilum serve`.")
    descriptor = int(environment[variable])
    os.set_inheritable(descriptor, False)
    return descriptor


def take_socket(name: str) -> socket.socket:
    """The listening socket `name` that the supervisor opened; closing it leaves it open in others."""
    return socket.socket(fileno=take_descriptor(socket_variable(name)))


def take_parent() -> int | None:
    """For the supervisor: what reads as closed when the process that started a private server has ended; None for any other server."""
    return take_descriptor(PARENT_VARIABLE) if PARENT_VARIABLE in os.environ else None


def stand_back(niceness: int) -> None:
    """Let other processes go before this one, and before what it starts, where there is not enough for all (setpriority(2))."""
    os.nice(niceness)
    # sched(7), The autogroup feature: nice(2) then counts within a session only, and each child of the supervisor has its own.
    with suppress(OSError):  # no autogroups here, or not ours to set
        Path("/proc/self/autogroup").write_text(str(niceness))


def report_ready() -> None:
    """Tell the supervisor that this process can take work; once."""
    status = take_descriptor(STATUS_VARIABLE)
    with suppress(BrokenPipeError):  # the supervisor is gone, and we will be
        os.write(status, b"ready\n")
    os.close(status)


def end_with_supervisor(liveness: int | None = None, grace_seconds: float = GRACE_SECONDS) -> None:
    """From now on, when the supervisor ends in whatever way, get SIGTERM, and after `grace_seconds` SIGKILL.

    Both go to the whole process group, where this process leads one. Processors have groups of their own, and their guards
    (`guarding.py`) end them when this process has ended.

    Args:
        liveness: read end of a pipe whose only write end the supervisor holds; by default the inherited one.
    """
    descriptor = take_descriptor(LIVENESS_VARIABLE) if liveness is None else liveness
    threading.Thread(target=_end_after, args=(descriptor, grace_seconds), name="liveness", daemon=True).start()


def _end_after(liveness: int, grace_seconds: float) -> None:
    os.read(liveness, 1)  # nobody ever writes: it returns when the last writer is gone
    _signal_group(signal.SIGTERM)
    time.sleep(grace_seconds)
    _signal_group(signal.SIGKILL)


def _signal_group(number: int) -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)


# --- for readiness ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChildState:
    """How a child of the supervisor fares."""

    name: str
    pid: int | None
    is_ready: bool
    restarts: int
    last_end: str  # how the process before this one ended; empty for the first


def read_children(data_directory: Path) -> list[ChildState]:
    """What the running supervisor last wrote about its children, for `/ready`; empty where none runs."""
    try:
        states = json.loads((data_directory / CHILDREN_FILE).read_bytes())
    except FileNotFoundError:
        return []
    return [ChildState(**state) for state in states]
