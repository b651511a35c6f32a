"""The DIMSE door: whoever sends by C-STORE, and gets 0x0000 only for what is durable (PS3.4 B, PS3.7 9.1.1, PS3.8 9).

dimse             this: one process' part of the listening socket, its limits, its stop
dimse_connection  one connection around the sans-IO association          dimse_clock      its deadlines
dimse_handshake   TLS in front of it
dimse_admission   who may associate, and what AE titles mean   dimse_slots how many
dimse_deliveries  which intake an association's objects belong to
dimse_storing     objects on their way into packs             dimse_writing    in memory, dimse_streaming the large ones
dimse_judging     what is refused                             dimse_statuses   with which status
dimse_watching    counters, and the log              dimse_requestor  associations that this side asks for
dimse_committing  Storage Commitment Push Model      dimse_commitment its data sets
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from hilum.dicom.upperlayer import AssociateRequest, Limits, Policy, Repeated
from hilum.doors.dimse_admission import (
    LOCAL_LIMIT_EXCEEDED,
    TEMPORARY_CONGESTION,
    Admission,
    KnownPeer,
    NamedProject,
    Rejection,
    Rules,
    admit,
)
from hilum.doors.dimse_commitment import CommitmentRequest
from hilum.doors.dimse_connection import Connection
from hilum.doors.dimse_deliveries import Deliveries, Sender
from hilum.doors.dimse_handshake import SecuredServer
from hilum.doors.dimse_slots import Slots
from hilum.doors.dimse_storing import Keeper
from hilum.doors.dimse_watching import Counts
from hilum.model.records import OwedReport

_LOG = logging.getLogger(__name__)

_REMEMBERED_SECONDS = 1.0  # projects and peers
_REMEMBERED_SENDERS = 256  # and what follows from them
_KEPT_SECONDS = 1.0  # places for associations that come one after another
_STOP_SECONDS = 8.0  # for answers that are under way
_ABORT_SECONDS = 1.0  # for A-ABORTs to leave

_TOO_MANY = Rejection(TEMPORARY_CONGESTION, "Too many associations.")
_TOO_MANY_OF_PEER = Rejection(LOCAL_LIMIT_EXCEEDED, "Too many associations of this peer.")


class Directory(Protocol):
    """Whom associations can be for and from; blocks."""

    def projects(self) -> Sequence[NamedProject]: ...
    def peers(self) -> Sequence[KnownPeer]: ...
    def commit(self, request: CommitmentRequest, sender: Sender) -> OwedReport: ...
    def note_report(self, owed: OwedReport, *, is_told: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """How many there may be at once.

    Args:
        connections: of this process, silent ones included; one more, and the oldest silent one is closed.
        associations: of all processes together.
        associations_per_peer: of one address, likewise.
    """

    connections: int = 1024
    associations: int = 256
    associations_per_peer: int = 128


class DimseDoor:
    """One process' associations. All methods belong to the event loop.

    Args:
        keeper: takes the objects.
        deliveries: knows the intakes.
        directory: projects and peers.
        slots: the associations of all processes.
        rules, limits, core_limits, policy: what is accepted.
    """

    def __init__(
        self,
        keeper: Keeper,
        deliveries: Deliveries,
        directory: Directory,
        slots: Slots,
        *,
        policy: Policy,
        rules: Rules,
        limits: DoorLimits,
        core_limits: Limits,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keeper = keeper
        self.deliveries = deliveries
        self.limits = core_limits
        self.repeated = Repeated(core_limits, policy)
        self.spare_buffers: list[memoryview] = []
        self.counts = Counts()
        self._directory = directory
        self._slots = slots
        self._letting_go: asyncio.TimerHandle | None = None
        self._places: dict[Connection, list[int]] = {}  # of those that have an association, or are being judged
        self._rules = rules
        self._most = limits
        self._ticks = ticks
        self._connections: dict[Connection, bool] = {}  # in the order they came -> whether it has asked for an association
        self._threads = ThreadPoolExecutor(2, "hilum-dimse-ledger")
        self._committing = ThreadPoolExecutor(2, "hilum-dimse-commitment")  # read much of the disk: no association waits for that
        self._known: tuple[Sequence[NamedProject], Sequence[KnownPeer]] = ((), ())
        self._known_until = 0.0
        self._verdicts: dict[tuple[str, str, str], Admission | Rejection] = {}  # by titles and address, for as long
        self._looking_up: asyncio.Future[tuple[Sequence[NamedProject], Sequence[KnownPeer]]] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._emptied = asyncio.Event()

    async def serve(
        self,
        listening: socket.socket,
        stopping: asyncio.Event,
        *,
        tls: ssl.SSLContext | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """Take associations until `stopping` is set; what was acknowledged is durable and told to the ledger on return."""
        loop = asyncio.get_running_loop()
        server = await self._listen(listening, tls)
        ready()
        await stopping.wait()
        server.close()
        await self._end_all()
        await loop.run_in_executor(None, self.keeper.close)
        if self._settling is not None:
            self._settling.cancel()
        await loop.run_in_executor(None, partial(self._committing.shutdown, cancel_futures=True))
        await loop.run_in_executor(self._threads, self.deliveries.settle)
        self._threads.shutdown()
        if self._letting_go is not None:
            self._letting_go.cancel()
        self._slots.close()

    async def _listen(self, listening: socket.socket, tls: ssl.SSLContext | None) -> "asyncio.Server | SecuredServer":
        if tls is None:
            return await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listening)
        # A peer that never finishes its handshake is as silent as one that never asks for an association.
        return SecuredServer(lambda: Connection(self), listening, tls, self.limits.artim_seconds, self._note_handshake_refused)

    def _note_handshake_refused(self) -> None:
        self.counts.associations["TLS refused"] += 1

    # --- for connections ---

    def opened(self, connection: Connection) -> None:
        """A connection was accepted. Where there are too many, the oldest that has said nothing goes: it has cost its peer nothing."""
        self._connections[connection] = False
        if len(self._connections) > self._most.connections:
            oldest = next((other for other, has_asked in self._connections.items() if not has_asked), connection)
            oldest.abort("closed", "Too many connections, and it had said nothing.")

    def requested(self, connection: Connection) -> Rejection | None:
        """It asks for an association: there is room, or why there is none."""
        self._connections[connection] = True
        places = self._places[connection] = []
        for name, most, rejection in (
            ("", self._most.associations, _TOO_MANY),
            (connection.address, self._most.associations_per_peer, _TOO_MANY_OF_PEER),
        ):
            place = self._slots.take(name, most)
            if place is None:
                return rejection
            places.append(place)
        self.counts.open = len(self._places)
        return None

    def leave(self, connection: Connection) -> None:
        """It has no association, or none any more."""
        for place in self._places.pop(connection, ()):
            self._slots.give_back(place)
            if self._letting_go is None:
                self._letting_go = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._let_go)
        self.counts.open = len(self._places)

    def _let_go(self) -> None:
        self._letting_go = None
        self._slots.let_go()

    def admit_now(self, request: AssociateRequest, address: str) -> Admission | None:
        """Whose images it brings, by what was true a moment ago; None: `admit` must look, since it may just have been let in."""
        if self._ticks() >= self._known_until:
            return None
        who = request.called_ae_title, request.calling_ae_title, address
        verdict = self._verdicts.get(who)
        if verdict is None:
            verdict = admit(request, address, self._rules, *self._known)
            if len(self._verdicts) < _REMEMBERED_SENDERS:
                self._verdicts[who] = verdict
        return verdict if isinstance(verdict, Admission) else None

    async def admit(self, request: AssociateRequest, address: str) -> Admission | Rejection:
        """Whose images it brings, or why it may not."""
        try:
            known = await self._look_up()
        except Exception as error:  # noqa: BLE001 - the ledger may fail for a while; the sender hears that it should try again
            _LOG.warning("projects and peers cannot be read: %s", type(error).__name__)
            return Rejection(TEMPORARY_CONGESTION, "The ledger does not answer.")
        return admit(request, address, self._rules, *known)

    async def commit(self, request: CommitmentRequest, sender: Sender) -> OwedReport | None:
        """What of a request is held in the sender's project, as a report that is owed; None where the ledger does not answer."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._committing, self._directory.commit, request, sender)
        except Exception as error:  # noqa: BLE001 - the ledger may fail for a while; the sender hears that it should try again
            _LOG.warning("storage commitment could not be judged: %s", type(error).__name__)
            return None

    def note_report(self, owed: OwedReport, *, is_told: bool) -> None:
        """The peer has heard a report, or left before."""
        self._threads.submit(self._note_report, owed, is_told)

    def _note_report(self, owed: OwedReport, is_told: bool) -> None:
        try:
            self._directory.note_report(owed, is_told=is_told)
        except Exception as error:  # noqa: BLE001 - the report stays owed: it is told once more than needed, or later
            _LOG.warning("the ledger could not be told of a report: %s", type(error).__name__)

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        if self._connections.pop(connection, False):
            self.counts.associations[connection.record.ended] += 1
        self.leave(connection)
        if not self._connections:
            self._emptied.set()
        if self._settling is None and self.deliveries.is_unsettled:
            self._settling = asyncio.get_running_loop().create_task(self._settle())

    # --- the ledger ---

    async def _look_up(self) -> tuple[Sequence[NamedProject], Sequence[KnownPeer]]:
        if self._looking_up is None:
            self._looking_up = asyncio.get_running_loop().run_in_executor(self._threads, self._read_directory)
            self._looking_up.add_done_callback(self._looked_up)
        return await asyncio.shield(self._looking_up)

    def _read_directory(self) -> tuple[Sequence[NamedProject], Sequence[KnownPeer]]:
        return self._directory.projects(), self._directory.peers() if self._rules.only_peers else ()

    def _looked_up(self, done: "asyncio.Future[tuple[Sequence[NamedProject], Sequence[KnownPeer]]]") -> None:
        self._looking_up = None
        if done.exception() is None:
            self._known, self._known_until = done.result(), self._ticks() + _REMEMBERED_SECONDS
            self._verdicts.clear()

    async def _settle(self) -> None:
        """Tell the ledger of ended associations, many at once."""
        while self.deliveries.is_unsettled:
            await self.deliveries.calm()
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self.deliveries.settle)
            except Exception as error:  # noqa: BLE001 - importing looks by itself after the quiet time
                _LOG.warning("the ledger could not be told that associations ended: %s", type(error).__name__)
        self._settling = None

    async def _end_all(self) -> None:
        for action, seconds in ((Connection.stop, _STOP_SECONDS), (Connection.cut, _ABORT_SECONDS)):
            self._emptied.clear()
            for connection in list(self._connections):
                action(connection)
            if self._connections:
                try:
                    await asyncio.wait_for(self._emptied.wait(), seconds)
                except TimeoutError:
                    _LOG.info("%d connections are still open", len(self._connections))
