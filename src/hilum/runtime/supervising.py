"""The supervisor of `hilum serve`: it prepares the data directory, keeps its children alive, and ends with all of them.

It runs on one thread and one selector, imports nothing heavy, and holds nothing that a kill could lose. Its children inherit
 * the read end of the *liveness* pipe, whose only write end is ours: it reads as closed when the supervisor ends, by kill -9 too;
 * the write end of a *status* pipe of their own, into which they write one line when they can take work;
 * the data directory's lock, the wake signal, and the listening sockets that their `ChildSpec` names. As the supervisor holds these too,
   connections that arrive while a child is restarted wait in the backlog.

What a child does with all that is in `supervised.py`.
"""

import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial

from hilum.model.errors import HilumError
from hilum.runtime.holding import DataDirectoryLock
from hilum.runtime.signalling import Waker
from hilum.runtime.supervised import CHILDREN_FILE, LIVENESS_VARIABLE, PARENT_VARIABLE, STATUS_VARIABLE, ChildState, socket_variable

_LOG = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_SECONDS = 15.0  # children finish or give back within this time, then they are killed
_KILLED_SECONDS = 4.0  # one that even then does not end hangs in the kernel: it is left behind, with the lock
LONG_LIFE_SECONDS = 30.0  # a child that lived so long starts again as if it had never failed
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 5.0
_BACKLOG = 1024

REASONS: dict[int, str] = {
    signal.SIGKILL: "from outside, perhaps by the kernel for want of memory",
    signal.SIGTERM: "from outside",
    signal.SIGSEGV: "a fault in native code",
    signal.SIGABRT: "native code gave up",
    signal.SIGBUS: "a fault in native code, or a mapped file that was cut short",
}
"""What a signal that ended a child usually means."""


@dataclass(frozen=True)
class ChildSpec:
    """A process to be kept alive.

    Args:
        name: for logs and readiness: `web`, `worker 1`.
        command: program and arguments.
        sockets: names of the listening sockets it inherits; `http` comes as the environment variable HILUM_HTTP_FD.
    """

    name: str
    command: Sequence[str]
    sockets: tuple[str, ...] = ()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket for children to inherit; port 0 chooses a free one.

    Raises:
        HilumError: the address is in use, or none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        # A new start must not wait for connections of the last one in TIME_WAIT; a port that is listened on is still refused.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _cannot_listen(host, port, error) from error
    return listening


def _cannot_listen(host: str, port: int, error: OSError) -> HilumError:
    reason = (error.strerror or str(error)).lower()
    return HilumError(f"Cannot listen on {host}:{port}: {reason}.", "End the program that uses it, or choose another HOST:PORT.")


def delay_before_restart(quick_ends: int) -> float:
    """Seconds to wait after so many ends in a row that each came soon: none for the first, then doubling."""
    if quick_ends == 0:
        return 0.0
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(quick_ends - 1, 10))


def describe_end(returncode: int) -> str:
    """How a process ended, as words: `exit status 1`, `signal 9 (Killed: from outside, ...)`."""
    if returncode >= 0:
        return f"exit status {returncode}"
    words = [signal.strsignal(-returncode) or "unknown", REASONS.get(-returncode, "")]
    return f"signal {-returncode} ({': '.join(filter(None, words))})"


@dataclass
class _Child:
    """One child to be kept alive: its process, if it has one now, and what became of the earlier ones."""

    spec: ChildSpec
    process: "subprocess.Popen[bytes] | None" = None
    status: int | None = None  # read end of the status pipe
    due_at: float | None = None  # when to start it, on the monotonic clock
    started_at: float = 0.0
    is_ready: bool = False
    quick_ends: int = 0
    restarts: int = 0
    last_end: str = ""

    @property
    def state(self) -> ChildState:
        pid = self.process.pid if self.process else None
        return ChildState(self.spec.name, pid, self.is_ready, self.restarts, self.last_end)


@dataclass
class Supervisor:
    """Runs once, on the main thread.

    Args:
        children: what to keep alive.
        lock: of the data directory; children hold it too.
        ready: fields of the ready line, in order: `{"http": "http://127.0.0.1:8080"}`; a field that is None is left out.
        sockets: listening sockets by name; closed when stopping.
        prepare: a command that must succeed before the children start; its last line on stderr tells why it did not.
        parent: a file descriptor that reads as closed when the process that this one is private to has ended.
        stop_seconds: what the children have to finish or give back.
    """

    children: Sequence[ChildSpec]
    lock: DataDirectoryLock
    ready: Mapping[str, str | None]
    sockets: Mapping[str, socket.socket] = field(default_factory=dict)
    prepare: Sequence[str] = ()
    parent: int | None = None
    stop_seconds: float = STOP_SECONDS

    def __post_init__(self) -> None:
        self._waker = Waker.create()
        self._liveness, self._alive = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._preparing = _Child(ChildSpec("prepare", self.prepare))
        self._children = [_Child(spec) for spec in self.children]
        self._exit_status = 0
        self._kill_at: float | None = None  # set when stopping
        self._announced = False

    def run(self) -> int:
        """Supervise until a signal asks to stop, or preparing fails.

        Returns:
            the exit status: 0 stopped as asked; 1 preparing failed, and the last line on stderr is the sentence.
        """
        with ExitStack() as stack:
            stack.callback(self._close)
            signals = stack.enter_context(_signals())
            self._watch(signals, partial(self._hear_signals, signals))
            if self.parent is not None:
                self._watch(self.parent, partial(self._hear_parent, self.parent))
            self._begin()
            while not self._is_over():
                for key, _ in self._selector.select(self._seconds_to_wait()):
                    key.data()
                self._reap()
                self._start_due()
                self._kill_overdue()
            for process in self._running():
                _LOG.error("process %d does not even end by SIGKILL; it is left behind with the lock", process.pid)
        return self._exit_status

    def _begin(self) -> None:
        self._publish()  # what an earlier supervisor left there is not true any more
        if self.prepare:
            self._start(self._preparing)
        else:
            self._start_children()

    def _start_children(self) -> None:
        for child in self._children:
            self._start(child)

    # --- what is heard ---

    def _watch(self, descriptor: int, hear: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, hear)

    def _hear_signals(self, signals: int) -> None:
        for number in os.read(signals, 512):
            if number in STOP_SIGNALS:
                _LOG.info("stopping on %s", signal.Signals(number).name)
                self._stop()

    def _hear_parent(self, parent: int) -> None:
        self._selector.unregister(parent)
        _LOG.info("stopping with the process that this server is private to")
        self._stop()

    def _hear_status(self, child: _Child, status: int) -> None:
        if not os.read(status, 4096):
            self._close_status(child)
            return
        child.is_ready = True
        self._publish()
        if not self._announced and all(child.is_ready for child in self._children):
            self._announced = True
            self._announce()

    def _announce(self) -> None:
        words = ["ready", *(f"{name}={value}" for name, value in self.ready.items() if value is not None)]
        # Whoever started us may read no more; without a buffer that is not found out later either.
        with suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), f"{' '.join(words)}\n".encode())

    # --- starting and ending children ---

    def _start(self, child: _Child) -> None:
        child.due_at, child.started_at = None, time.monotonic()
        readable, writable = os.pipe()
        try:
            child.process = self._spawn(child.spec, writable)
        except OSError as error:
            os.close(readable)
            self._ended(child, f"no start ({error.strerror or error})", returncode=-1)
            return
        finally:
            os.close(writable)
        child.status = readable
        self._watch(readable, partial(self._hear_status, child, readable))
        self._publish()

    def _spawn(self, spec: ChildSpec, status: int) -> "subprocess.Popen[bytes]":
        sockets = {name: self.sockets[name].fileno() for name in spec.sockets}
        given = {LIVENESS_VARIABLE: self._liveness, STATUS_VARIABLE: status, **{socket_variable(name): fd for name, fd in sockets.items()}}
        inherited = {name: value for name, value in os.environ.items() if name != PARENT_VARIABLE}
        return subprocess.Popen(
            spec.command,
            env={**inherited, **self._waker.environment, **{name: str(descriptor) for name, descriptor in given.items()}},
            pass_fds=(*given.values(), *self._waker.descriptors, self.lock.descriptor),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # our stdout carries the ready line alone
            start_new_session=True,  # Ctrl-C is ours, and the child's own children can be ended with it
        )

    def _reap(self) -> None:
        for child in (self._preparing, *self._children):
            if child.process is not None and (returncode := child.process.poll()) is not None:
                # What it left running; the number of a group that is empty is not given out again so soon.
                _kill_group(child.process.pid)
                self._ended(child, describe_end(returncode), returncode)

    def _ended(self, child: _Child, how: str, returncode: int) -> None:
        self._close_status(child)
        child.process, child.is_ready, child.last_end = None, False, how
        if self._kill_at is not None:
            _LOG.info("%s ended with %s", child.spec.name, how)
        elif child is self._preparing:
            self._prepared(how, returncode)
        else:
            self._schedule(child)
        self._publish()

    def _prepared(self, how: str, returncode: int) -> None:
        if returncode == 0:
            self._start_children()
            return
        if returncode < 0:  # it could not say why itself
            _LOG.error("Preparing the data directory ended with %s. Nothing is lost: start again.", how)
        self._exit_status = 1
        self._stop()

    def _schedule(self, child: _Child) -> None:
        now = time.monotonic()
        lived = now - child.started_at
        if lived >= LONG_LIFE_SECONDS:
            child.quick_ends = 0
        delay = delay_before_restart(child.quick_ends)
        child.quick_ends += 1
        child.restarts += 1
        child.due_at = now + delay
        _LOG.warning("%s ended with %s after %.1f s; it is started again in %.1f s", child.spec.name, child.last_end, lived, delay)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.due_at is not None and child.due_at <= now:
                self._start(child)

    def _close_status(self, child: _Child) -> None:
        if child.status is not None:
            self._selector.unregister(child.status)
            os.close(child.status)
            child.status = None

    # --- stopping ---

    def _stop(self) -> None:
        if self._kill_at is not None:
            return
        self._kill_at = time.monotonic() + self.stop_seconds
        for listening in self.sockets.values():
            listening.close()
        for child in (self._preparing, *self._children):
            child.due_at = None
            if child.process is not None:
                child.process.terminate()

    def _kill_overdue(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            for child in self._running():
                _kill_group(child.pid)

    def _running(self) -> "list[subprocess.Popen[bytes]]":
        return [child.process for child in (self._preparing, *self._children) if child.process is not None]

    def _is_over(self) -> bool:
        if self._kill_at is None:
            return False
        return not self._running() or time.monotonic() >= self._kill_at + _KILLED_SECONDS

    def _seconds_to_wait(self) -> float | None:
        now = time.monotonic()
        times = [child.due_at for child in self._children if child.due_at is not None]
        if self._kill_at is not None:
            times.append(self._kill_at if now < self._kill_at else self._kill_at + _KILLED_SECONDS)
        return max(0.0, min(times) - now) if times else None

    def _close(self) -> None:
        (self.lock.directory / CHILDREN_FILE).unlink(missing_ok=True)
        for child in (self._preparing, *self._children):
            self._close_status(child)
        self._selector.close()
        self._waker.close()
        os.close(self._liveness)
        os.close(self._alive)

    # --- telling ---

    def _publish(self) -> None:
        path = self.lock.directory / CHILDREN_FILE
        half = path.with_suffix(".half")
        try:
            half.write_text(json.dumps([asdict(child.state) for child in self._children]))
            half.replace(path)
        except OSError as error:  # a full disk is no reason to end the server
            _LOG.warning("cannot write %s: %s", path, error.strerror)


@contextmanager
def _signals() -> Iterator[int]:
    """A file descriptor that reads the numbers of the signals that arrive, one byte each."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    for number in (signal.SIGCHLD, *STOP_SIGNALS):
        if not _is_ignored_on_purpose(number):
            signal.signal(number, lambda *_: None)  # stays: a second signal must not change how this process ends
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(-1)
        os.close(readable)
        os.close(writable)


def _is_ignored_on_purpose(number: int) -> bool:
    # nohup(1): the server is to outlive its terminal.
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left in it; macOS says EPERM of a group of zombies
        os.killpg(group, signal.SIGKILL)
