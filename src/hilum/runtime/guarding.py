"""The guard of one child: runs a command in its own process group and ends the whole group when the command, or its starter, ends.

    python -I -S guarding.py LIVENESS REPORT LIMITS -- command ...

LIVENESS is the read end of a pipe whose only write end the starter holds: it reads as closed when the starter ends, by kill -9
too, on every system. REPORT is the write end of a pipe that takes `{"exit_status": n, "stopped": "" | "time"}`
just before the whole group, the guard included, is killed. LIMITS is JSON: `wall_seconds`, `memory_bytes`, `output_bytes`.

Nothing but the standard library is imported, so that the guard starts in some 20 ms and needs no environment.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

LIMITED: tuple[tuple[int, str], ...] = (
    (resource.RLIMIT_AS, "memory_bytes"),  # macOS takes the call and does not enforce it
    (resource.RLIMIT_FSIZE, "output_bytes"),  # of one file; the starter watches the sum
)


def set_limits(limits: dict[str, float]) -> None:
    """Set this process' limits, which its children inherit; a limit that is already lower stays."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold images
    for which, name in LIMITED:
        _, hard = resource.getrlimit(which)
        wanted = int(limits[name])
        lowest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (lowest, lowest))


def wake_on_child_exit() -> int:
    """A file descriptor that becomes readable when a child ends."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler the wakeup descriptor stays silent
    return readable


def wait_for_end(child: subprocess.Popen[bytes], liveness: int, woken: int, wall_seconds: float) -> str:
    """Why waiting ended: "" (the child did), "time", or "starter"."""
    deadline = time.monotonic() + wall_seconds
    while child.poll() is None:
        readable, _, _ = select.select([liveness, woken], [], [], max(0.0, deadline - time.monotonic()))
        if liveness in readable:
            return "starter"
        if not readable:
            return "time"
        os.read(woken, 512)
    return ""


def main(liveness: int, report: int, limits: dict[str, float], command: list[str]) -> None:
    """Guard one command to its end; does not return."""
    woken = wake_on_child_exit()
    set_limits(limits)
    child = subprocess.Popen(command)
    try:
        stopped = wait_for_end(child, liveness, woken, limits["wall_seconds"])
        tell(report, child.returncode or 0, stopped)
    finally:
        os.killpg(0, signal.SIGKILL)  # whatever the command left running, and the guard itself


def tell(report: int, exit_status: int, stopped: str) -> None:
    """Leave the report; a starter that is gone does not read it."""
    with suppress(BrokenPipeError):
        os.write(report, json.dumps({"exit_status": exit_status, "stopped": stopped}).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[5:])
