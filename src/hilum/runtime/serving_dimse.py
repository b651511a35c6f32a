"""A DIMSE process: the door on a listening socket that it was given, and the pool of received packs."""

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvloop

from hilum.dicom.upperlayer import Limits, Policy, StorageKind
from hilum.dicom.upperlayer.negotiation import UNCOMPRESSED, VERIFICATION
from hilum.doors.dimse import DimseDoor, DoorLimits
from hilum.doors.dimse_admission import KnownPeer, Rules
from hilum.doors.dimse_commitment import STORAGE_COMMITMENT, CommitmentRequest, judge
from hilum.doors.dimse_deliveries import Deliveries, Sender
from hilum.doors.dimse_slots import Slots
from hilum.doors.dimse_storing import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Keeper, StoringLimits
from hilum.doors.dimse_watching import Counts
from hilum.model.identity import SYSTEM
from hilum.model.records import OwedReport, Project
from hilum.runtime.asking_peers import known_peer
from hilum.runtime.assembling import Application
from hilum.runtime.committing import find_held
from hilum.runtime.dimse_counts import publish, withdraw
from hilum.runtime.settings import Settings
from hilum.runtime.tending import tended_pool
from hilum.stores.packs import PackPool
from hilum.stores.senders import Senders

# The event loop must not wait 5 ms (Python's default) each time that a thread is at work.
_SWITCH_SECONDS = 0.0005
_PUBLISH_SECONDS = 2.0
_OTHERS_BEHIND_SECONDS = 0.5
SLOTS_FILE = "associations.lock"
_LOG = logging.getLogger(__name__)


def serve_dimse(
    app: Application,
    listening: socket.socket,
    *,
    ready: Callable[[], object] = lambda: None,
    ask_stop: Callable[[Callable[[], object]], object] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; packs are sealed on return.

    Args:
        ready: called when associations are taken.
        ask_stop: where this is not the main thread: is handed what ends the serving.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    with tended_pool(app, "received", indexes_behind=True) as pool, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, pool, listening, ready, ask_stop))


async def _serve(
    app: Application,
    pool: PackPool,
    listening: socket.socket,
    ready: Callable[[], object],
    ask_stop: Callable[[Callable[[], object]], object] | None,
) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    if ask_stop is not None:
        ask_stop(partial(loop.call_soon_threadsafe, stopping.set))
    else:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
    senders = Senders(app.database, app.clock, app.intakes, app.wake)
    door = make_door(app, pool, senders)
    try:
        await asyncio.to_thread(senders.rehearse)
    except Exception as error:  # noqa: BLE001 - the ledger may fail for a while: the first image only waits a little longer
        _LOG.warning("the first image's way could not be prepared: %s", type(error).__name__)
    gc.freeze()  # what is there now stays as long as the process: no collection need walk it while a sender waits
    publishing = loop.create_task(_publish(door.counts, app.settings.data))
    try:
        await door.serve(listening, stopping, tls=tls_of(app.settings), ready=ready)
    finally:
        publishing.cancel()
        withdraw(app.settings.data)


async def _publish(counts: Counts, data: Path) -> None:
    while True:
        try:
            await asyncio.to_thread(publish, counts, data)
        except OSError as error:  # a full disk is no reason to end the door
            _LOG.warning("counters cannot be written: %s", error.strerror)
        await asyncio.sleep(_PUBLISH_SECONDS)


def make_door(app: Application, pool: PackPool, senders: Senders) -> DimseDoor:
    """The door over the stores of `app`."""
    settings = app.settings
    deliveries = Deliveries(senders, pool.settle)
    return DimseDoor(
        Keeper(pool, deliveries, storing_limits(settings), app.clock),
        deliveries,
        _Directory(app, pool.settle),
        Slots(settings.data / SLOTS_FILE),
        policy=policy_of(settings),
        rules=Rules(
            ae_title=settings.dimse_ae_title,
            default_project=settings.dimse_project,
            only_peers=settings.dimse_allow == "peers",
            quarantines=settings.dimse_quarantine,
        ),
        limits=door_limits(settings),
        core_limits=core_limits(settings),
    )


@dataclass(frozen=True, slots=True)
class _Directory:
    """Projects and peers, from the ledger."""

    app: Application
    settle_index: Callable[[], None]

    def projects(self) -> Sequence[Project]:
        return self.app.access.list_projects(SYSTEM)

    def peers(self) -> Sequence[KnownPeer]:
        return [known_peer(peer) for peer in self.app.peers.list_peers(SYSTEM)]

    def commit(self, request: CommitmentRequest, sender: Sender) -> OwedReport:
        self.settle_index()
        held = find_held(self.app, sender.project, {uid for _, uid in request.references})
        commitment = judge(request, held)
        if commitment.failed and self.app.settings.dimse_processes > 1:
            time.sleep(_OTHERS_BEHIND_SECONDS)  # another process may have acknowledged them, and index them only now
            held |= find_held(self.app, sender.project, {one.sop_instance_uid for one in commitment.failed})
            commitment = judge(request, held)
        names = sender.calling_ae_title, sender.called_ae_title, sender.address
        return self.app.commitments.owe(SYSTEM, sender.project, names, commitment)

    def note_report(self, owed: OwedReport, *, is_told: bool) -> None:
        if is_told:
            self.app.commitments.settle(SYSTEM, owed.key)
        else:
            self.app.commitments.postpone(SYSTEM, owed.key, timedelta(), in_vain=False)


# --- settings as the door knows them ----------------------------------------------------------------------------------------------


def storing_limits(settings: Settings) -> StoringLimits:
    """What objects may cost; memory is shared by the processes."""
    return StoringLimits(
        whole_bytes=settings.buffer_bytes,
        memory_bytes=settings.dimse_memory_bytes // settings.dimse_processes,
        instance_bytes=settings.dimse_instance_bytes,
    )


def door_limits(settings: Settings) -> DoorLimits:
    """Associations are counted over all processes; of connections the kernel gives each of them about as many."""
    return DoorLimits(
        connections=-(-settings.dimse_connections // settings.dimse_processes),
        associations=settings.dimse_associations,
        associations_per_peer=settings.dimse_associations_per_peer,
    )


def core_limits(settings: Settings) -> Limits:
    """What one association may ask for."""
    return Limits(
        # Peers that count the header in, or round up, are not aborted for it.
        pdu_length=max(2 * settings.dimse_pdu_bytes, 1 << 20),
        receive_buffer_length=settings.dimse_pdu_bytes + 64,
        presentation_contexts=settings.dimse_contexts,
        artim_seconds=settings.dimse_artim_seconds,
        first_command_seconds=settings.dimse_idle_seconds,
        command_seconds=settings.dimse_idle_seconds,
        progress_seconds=settings.dimse_progress_seconds,
    )


def policy_of(settings: Settings) -> Policy:
    """What is accepted in a negotiation."""
    kinds = {StorageKind.STANDARD}
    if settings.dimse_private_sop_classes:
        kinds.add(StorageKind.PRIVATE)
    if settings.dimse_unknown_sop_classes:
        kinds.add(StorageKind.UNKNOWN)
    return Policy(
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        services={VERIFICATION: UNCOMPRESSED, STORAGE_COMMITMENT: UNCOMPRESSED},
        storage=frozenset(kinds),
        any_transfer_syntax=True,
        maximum_length=settings.dimse_pdu_bytes,
    )


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """PS3.15 B.12 (BCP 195): TLS 1.2 or newer, with client certificates where authorities are named; None: plain TCP."""
    if settings.dimse_tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.dimse_tls_certificate, settings.dimse_tls_key)
    if settings.dimse_tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(settings.dimse_tls_ca)
    return context
