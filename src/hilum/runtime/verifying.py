"""hilum verify: every pack is read, every digest compared, pack and index held against each other; --repair rebuilds the index."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hilum.model.errors import StorageError
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind
from hilum.model.members import StoredMember
from hilum.runtime.assembling import Application, assemble, make_worker, ship
from hilum.runtime.preparing import kind_of, recover_pack, recover_packs, reported
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop
from hilum.runtime.tending import tended_pool
from hilum.stores.migrations import upgrade
from hilum.stores.pack_index import PackRow
from hilum.stores.packs import Verification, find_packs, has_successor, pack_path, successor, verify


@dataclass(slots=True)
class Report:
    """What was found. Each list holds sentences that name pack and offset, and what can be done."""

    packs: int = 0
    members: int = 0
    damaged: list[str] = field(default_factory=list)  # bytes that are not what was acknowledged, or cannot be read
    lost: list[str] = field(default_factory=list)  # in the index, not in a pack
    unindexed: list[str] = field(default_factory=list)  # in a pack, not in the index
    orphaned: list[str] = field(default_factory=list)  # made by workitems that the ledger does not know; nothing is wrong with it
    repaired: int = 0  # members that were indexed
    unmended: int = 0  # members that were not

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.lost or self.unmended)


@dataclass(slots=True)
class _Finds:
    """What `--repair` works on."""

    strangers: dict[str, list[StoredMember]] = field(default_factory=dict)  # by pack: what the index does not know
    unsealed: list[PackRow] = field(default_factory=list)  # sealed for the ledger, without the end of an archive


def verify_vault(settings: Settings, *, repair: bool = False, on_pack: Callable[[str], None] = lambda _: None) -> Report:
    """Read every pack. One that cannot be read is reported and stops no other; files whose name is no UUID are no packs.

    Args:
        repair: index what the ledger does not know and import it; the server must be stopped. The whole ledger may be lost.
        on_pack: told each pack's id before it is read.
    """
    app = assemble(settings)
    report, finds = Report(), _Finds()
    try:
        if repair:
            upgrade(app.database)
            ship(app)
        rows = {row.id: row for row in app.pack_index.list_packs()}
        for path in _packs_that_count(settings.packs, rows.keys()):
            on_pack(path.stem)
            row = rows.get(path.stem)
            _verify_pack(app, path, row, report, finds, is_growing=row is not None and row.state == "open" and not repair)
        if repair:
            _repair(app, report, finds)
        _tell_strangers(app, report, finds, repair=repair)
        _tell_missing(app, report)
    finally:
        app.close()
    return report


def give_up_orphaned(settings: Settings) -> int:
    """Have a server erase what workitems made that the ledger does not know. Returns how many members."""
    app = assemble(settings)
    try:
        return app.pack_index.give_up_orphaned()
    finally:
        app.close()


def _packs_that_count(folder: Path, known: Collection[str]) -> list[Path]:
    """Those that the ledger knows, and strangers; of a rewriting that is not through the one that a start would leave."""
    paths = find_packs(folder)
    present = {path.stem for path in paths}
    not_yet = {successor(pack_id) for pack_id in present if pack_id in known}
    return [path for path in paths if path.stem in known or not (path.stem in not_yet or has_successor(path.stem, present | set(known)))]


def _verify_pack(app: Application, path: Path, row: PackRow | None, report: Report, finds: _Finds, *, is_growing: bool) -> None:
    # The index first: what a running server appends meanwhile is in the pack and not in what was read of the index.
    indexed = app.pack_index.members_of(path.stem)
    try:
        found = verify(path)
    except StorageError as error:
        if path.exists():  # else it was written again meanwhile, without what was deleted
            report.damaged.append(str(error))
        return
    report.packs += 1
    report.members += len(found.members)
    for member in found.damaged:
        report.damaged.append(f"Pack {path.stem} is damaged at {member.offset}: {member.name}. Restore the pack's file from a copy.")
    _compare(path.stem, indexed, found, report)
    if row is not None and row.state == "sealed" and not found.is_sealed:
        finds.unsealed.append(row)
    strangers = [member for member in found.members if member.offset not in indexed]
    if strangers and not is_growing:
        finds.strangers[path.stem] = strangers


def _compare(pack_id: str, indexed: Mapping[int, bytes], found: Verification, report: Report) -> None:
    there = {member.offset: member.sha256 for member in found.members}
    damaged = {member.offset for member in found.damaged}
    for offset, sha256 in indexed.items():
        if offset not in damaged and there.get(offset) != sha256:
            report.lost.append(f"Pack {pack_id} does not hold what the index has at {offset}. Restore the pack's file from a copy.")


def _repair(app: Application, report: Report, finds: _Finds) -> None:
    """As a start does it, and besides what is missing in the index of packs that the ledger calls sealed."""
    told: list[str] = []
    report.repaired += recover_packs(app, told.append)
    for row in finds.unsealed:
        with reported(told.append):
            report.repaired += recover_pack(app, row, told.append)
    known = {row.id for row in app.pack_index.list_packs()}
    for pack_id, strangers in finds.strangers.items():
        if pack_id in known:
            report.repaired += app.rebuilder.adopt(kind_of(pack_path(app.settings.packs, pack_id)), strangers)
    report.damaged += [sentence for sentence in told if sentence not in report.damaged]
    if report.repaired:
        _import_found(app)


def _tell_strangers(app: Application, report: Report, finds: _Finds, *, repair: bool) -> None:
    for pack_id, strangers in finds.strangers.items():
        indexed = app.pack_index.members_of(pack_id)
        for member in strangers:
            is_mended = member.offset in indexed
            if is_mended and not repair:
                continue  # a running server was about to
            report.unmended += not is_mended
            mend = "It was indexed." if is_mended else "Run `hilum verify --repair` with the server stopped."
            report.unindexed.append(f"Pack {pack_id} holds {member.name} at {member.offset}, and the index does not. {mend}")
    report.orphaned += [
        f"Pack {orphan.pack_id} holds {orphan.name} at {orphan.offset}, made by workitem {orphan.workitem_id}, which the ledger does not "
        "know. It is kept; take it out of the pack with `tar` where you want it, then `hilum verify --erase-orphaned`."
        for orphan in app.pack_index.list_orphaned()
    ]


def _tell_missing(app: Application, report: Report) -> None:
    for row in app.pack_index.list_packs():
        if not pack_path(app.settings.packs, row.id).exists() and (known := app.pack_index.members_of(row.id)):
            report.lost.append(f"Pack {row.id} is gone with {len(known)} members. Restore its file from a copy.")


def _import_found(app: Application) -> None:
    """The catalogue anew: importing reads what was indexed. The other stages run when the server does."""
    stop = Stop()
    with tended_pool(app, "deidentified") as deidentified, tended_pool(app, "results") as results:
        worker = make_worker(app, "verify", stop, lambda _: None, deidentified, results, kinds=(Kind.INTAKE,))
        app.ledger.wake_due(SYSTEM)
        while worker.step():
            pass
