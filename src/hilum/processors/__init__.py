"""Processors: what makes results out of the images of a workitem. One file a member; `submit` an order, `collect` its artifacts.

The smallest member that runs on this machine (its file is `processors/slice_count.py`, its kind the same string):

    class SliceCount(LocalProcessor):
        kind = "slice_count"

        class Settings(StrictSettings):
            unit: str = "slices"

        @classmethod
        def run(cls, order: Order) -> Artifacts | Unusable:          # in a child process, with limits, in `order.scratch`
            unit, images = cls.Settings.model_validate(order.settings).unit, list(order.inputs[0].folder.iterdir())
            produced = order.output / "slices.txt"
            produced.write_text(f"{len(images)} {unit}")
            return Artifacts((ProducedFile(produced, produced.name, "text/plain"),), {"tool": "slice_count"})

A member that works elsewhere (a service, a DIMSE peer, a GPU queue) implements `Processor` itself and answers `collect` with
`NotYet` until the results are there. Modules whose name begins with an underscore are shared by members and are none.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, SerializeAsAny, TypeAdapter

from hilum import __version__
from hilum.model.errors import HilumError

GIB = 1024**3
OUT_OF_MEMORY = 12
"""The exit status by which a child says that its memory limit was too small for the order (errno ENOMEM)."""


class ProcessingFailedError(HilumError):
    """A processor broke off. Stepping retries with back-off; `last_words` is the end of what the child wrote, for the record only."""

    kind = "processing-failed"

    def __init__(self, sentence: str, mend: str = "", last_words: str = "") -> None:
        super().__init__(sentence, mend)
        self.last_words = last_words  # may quote a sender's text: never into a log


class StrictSettings(BaseModel):
    """Settings of a member: a key that nobody named is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- the order and its answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What one order may use. `memory_bytes` is a process' address space; `output_bytes` all it writes, also into its scratch."""

    wall_seconds: float = 1800.0
    memory_bytes: int = 8 * GIB
    output_bytes: int = 8 * GIB


@dataclass(frozen=True, slots=True)
class ProcessingInput:
    """One series: `folder` holds its instances as `.dcm` files. `role` is the template's word ("t1"), or empty."""

    role: str
    series_id: str
    series_instance_uid: str
    modality: str
    description: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Order:
    """What a processor gets.

    Args:
        workitem_id: ours; a processor elsewhere uses it as its idempotency key.
        study_instance_uid: as it is after de-identification.
        template: the template's name, which is safe in a file name.
        template_title: as a person says it.
        notice: stands on every page and in every report ("Research use, not for diagnosis.").
        inputs: the series, in the template's order.
        earlier: result files of the steps before this one of the same workitem.
        output: an empty folder; only what is written here can become a result.
        scratch: a folder that is the processor's alone and is gone afterwards.
        settings: the member's own `Settings`.
        findings: what the checks said of the study, as sentences.
        limits: what it may use.
    """

    workitem_id: str
    study_instance_uid: str
    template: str
    template_title: str
    notice: str
    inputs: tuple[ProcessingInput, ...]
    earlier: tuple[Path, ...]
    output: Path
    scratch: Path
    settings: SerializeAsAny[BaseModel]
    findings: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Ticket:
    """How to ask for an order again: JSON-able, kept in the ledger when `collect` answers `NotYet`."""

    processor: str
    reference: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """One result: a regular file inside the order's output, the name under which it is listed, its media type."""

    path: Path
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Artifacts:
    """All results, and how they were made (tool, version, options): JSON-able, stored with each of them."""

    files: tuple[ProducedFile, ...]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NotYet:
    """Ask again at `until` (aware, UTC)."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """These inputs can never be processed: the workitem is held with the sentence, and no retry is made."""

    why: str


Answer = Artifacts | Unusable
_ORDER, _ANSWER = TypeAdapter(Order), TypeAdapter[Answer](Answer)


class Processor(Protocol):
    """What every member is; it is constructed with a `Host`.

    What the steps before it made is kept while a step answers `NotYet`, and never made again for it.
    A member whose tickets die with the worker that submitted never answers `NotYet`, so that its ticket is never kept.
    """

    kind: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def submit(self, order: Order) -> Ticket:
        """Begin; the same `workitem_id` again must not begin twice elsewhere. Raises ProcessingFailedError."""
        ...

    def collect(self, ticket: Ticket) -> Artifacts | NotYet | Unusable:
        """The results, or when to ask again. Raises ProcessingFailedError."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Nobody wants it any more; may be called from another thread while `collect` waits, and more than once."""
        ...


# --- child processes: the port, implemented in runtime/children.py ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """How a child ended: its exit status (negative: a signal), what stopped it ("", or a key of `STOPPED`), its last words."""

    exit_status: int
    stopped: str
    last_words: str


class Child(Protocol):
    """A running child with its whole process group."""

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        ...

    def wait(self, timeout: float | None = None) -> ChildEnded | None:
        """Wait for its end, at most `timeout` seconds; None: it still runs. Its limits end it in any case."""
        ...

    def kill(self) -> None:
        """End the whole group at once; `wait` then says "cancelled". Any thread, any number of times."""
        ...


class ChildProcesses(Protocol):
    """Starts children that never outlive this process, however it ends."""

    def start(self, command: Sequence[str], *, cwd: Path, output: Path, limits: Limits) -> Child:
        """Start `command` in `cwd` with a closed stdin and a reduced environment."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine offers a processor."""

    children: ChildProcesses


# --- members that run on this machine -----------------------------------------------------------------------------------

STOPPED: dict[str, tuple[str, str]] = {
    "time": ("took longer than its limit of {limits.wall_seconds:g} s", "Raise the time limit for processing, or send less."),
    "output": ("wrote more than its limit of {limits.output_bytes:,} bytes", "Raise the output limit for processing."),
    "cancelled": ("was cancelled", ""),
}
"""Why a child was stopped -> the end of the sentence, and the mend."""


class LocalProcessor:
    """A member written in Python whose `run` is executed in a child process: `python -m hilum.processors MODULE order.json`."""

    kind: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, host: Host) -> None:
        self._children = host.children
        self._running: dict[int, tuple[Order, Child]] = {}

    @classmethod
    def run(cls, order: Order) -> Answer:
        """Do the work: read `order.inputs`, write into `order.output`. An exception fails the order."""
        raise NotImplementedError(f"{cls.kind} has no run()")

    def submit(self, order: Order) -> Ticket:
        """Start the child."""
        order_file = order.scratch / "order.json"
        order_file.write_bytes(write_order(order))
        # -P keeps the working folder, where a sender's files lie, off the module path.
        command = [sys.executable, "-P", "-m", "hilum.processors", type(self).__module__, str(order_file)]
        child = self._children.start(command, cwd=order.scratch, output=order.output, limits=order.limits)
        self._running[child.pid] = order, child
        return Ticket(self.kind, {"process": child.pid})

    def collect(self, ticket: Ticket) -> Answer:
        """Wait for the child, at most as long as the order's limits, and take its answer."""
        running = self._running.get(ticket.reference["process"])
        if running is None:
            raise ProcessingFailedError(f"{self.kind} was started by a worker that is gone, and ended with it.", "It is started anew.")
        order, child = running
        try:
            return self._answer(order, child.wait())
        finally:
            del self._running[child.pid]

    def cancel(self, ticket: Ticket) -> None:
        """End the child with its whole group."""
        if running := self._running.get(ticket.reference["process"]):
            running[1].kill()

    def _answer(self, order: Order, ended: ChildEnded | None) -> Answer:
        if ended is None or ended.stopped or ended.exit_status:
            raise self._failure(order, ended)
        return self.take(order, read_answer(answer_file(order).read_bytes()))

    def take(self, order: Order, answer: Answer) -> Answer:
        """Judge a child's answer, which is not trusted: every result is a regular file of the output. Completes the provenance."""
        if isinstance(answer, Unusable):
            return answer
        for file in answer.files:
            _check_produced(file, order.output)
        return replace(answer, provenance=_provenance(self.kind, order, answer.provenance))

    def _failure(self, order: Order, ended: ChildEnded | None) -> ProcessingFailedError:
        if ended is None:
            return ProcessingFailedError(f"{self.kind} cannot be waited for.")
        if ended.stopped:
            how, mend = STOPPED[ended.stopped]
            return ProcessingFailedError(f"{self.kind} {how.format(limits=order.limits)}.", mend, ended.last_words)
        if ended.exit_status == OUT_OF_MEMORY:
            sentence = f"{self.kind} needs more memory than its limit of {order.limits.memory_bytes:,} bytes."
            return ProcessingFailedError(sentence, "Raise the memory limit for processing.", ended.last_words)
        sentence = f"{self.kind} ended with exit status {ended.exit_status}."
        return ProcessingFailedError(sentence, "It is tried again; its last words are kept with the attempt.", ended.last_words)


def _check_produced(file: ProducedFile, output: Path) -> None:
    inside = file.path.resolve().is_relative_to(output.resolve())
    if not inside or file.path.is_symlink() or not file.path.is_file():
        raise ProcessingFailedError("A result is not a regular file in the output folder.", "Mend the processor.")


def _provenance(kind: str, order: Order, made: Mapping[str, Any]) -> dict[str, Any]:
    return {"processor": kind, "hilum": __version__, "settings": order.settings.model_dump(mode="json"), **made}


# --- the order and the answer as files between the worker and its child -------------------------------------------------


def answer_file(order: Order) -> Path:
    """Where the child leaves its answer."""
    return order.scratch / "answer.json"


def write_order(order: Order) -> bytes:
    """The order as JSON."""
    return _ORDER.dump_json(order)


def read_order(text: bytes, settings: type[BaseModel]) -> Order:
    """The order from JSON, its settings as the member's own. Raises pydantic's ValidationError."""
    return replace(_ORDER.validate_json(text), settings=settings.model_validate(json.loads(text)["settings"]))


def write_answer(answer: Answer) -> bytes:
    """The child's answer as JSON."""
    return _ANSWER.dump_json(answer)


def read_answer(text: bytes) -> Answer:
    """The child's answer from JSON. Raises pydantic's ValidationError."""
    return _ANSWER.validate_json(text)


# --- names of results ---------------------------------------------------------------------------------------------------


def names_of(inputs: Sequence[ProcessingInput]) -> tuple[str, ...]:
    """A safe, distinct stem of file names for each input: its role, else its description reduced to `a-z 0-9 _`, else `series`.

    The descriptions are a sender's text, so nothing but those characters is let through; a stem that is taken gets a number.
    """
    names: list[str] = []
    for given in inputs:
        stem = _stem(given)
        candidates = chain((stem,), (f"{stem}_{number}" for number in count(2)))
        names.append(next(name for name in candidates if name not in names))
    return tuple(names)


def _stem(given: ProcessingInput) -> str:
    words = re.findall(r"[a-z0-9]+", (given.role or given.description).lower())
    return "_".join(words)[:40].strip("_") or "series"
