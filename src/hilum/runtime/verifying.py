"""hilum verify: every pack is read, every digest compared, pack and index held against each other; --repair rebuilds the index."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hilum.model.errors import StorageError
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind
from hilum.runtime.assembling import Application, assemble, make_worker, ship
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop
from hilum.runtime.tending import tended_pool
from hilum.stores.migrations import upgrade
from hilum.stores.pack_index import PackRow
from hilum.stores.packs import verify


@dataclass(slots=True)
class Report:
    """What was found. Each list holds sentences that name pack and offset, and what can be done."""

    packs: int = 0
    members: int = 0
    damaged: list[str] = field(default_factory=list)  # bytes that are not what was acknowledged
    lost: list[str] = field(default_factory=list)  # in the index, not in a pack
    unindexed: list[str] = field(default_factory=list)  # in a pack, not in the index
    repaired: int = 0

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.lost or (len(self.unindexed) > self.repaired))


def verify_vault(settings: Settings, *, repair: bool = False, on_pack: Callable[[str], None] = lambda _: None) -> Report:
    """Read every pack.

    Args:
        repair: index what the ledger does not know and import it; the server must be stopped. The whole ledger may be lost.
        on_pack: told each pack's id before it is read.
    """
    app = assemble(settings)
    report = Report()
    try:
        if repair:
            upgrade(app.database)
            ship(app)
        rows = {row.id: row for row in app.pack_index.list_packs()}
        for path in sorted(settings.packs.glob("*.tar")):
            on_pack(path.stem)
            _verify_pack(app, path, rows.pop(path.stem, None), report, repair=repair)
        for missing in rows:
            known = app.pack_index.members_of(missing)
            report.lost += [f"Pack {missing} is gone with {len(known)} members. Restore its file from a copy."] if known else []
        if repair and report.repaired:
            _import_found(app)
    finally:
        app.close()
    return report


def _verify_pack(app: Application, path: Path, row: PackRow | None, report: Report, *, repair: bool) -> None:
    # The index first: what a running server appends meanwhile is in the pack and not in what was read of the index.
    indexed = app.pack_index.members_of(path.stem)
    try:
        found = verify(path)
    except StorageError:
        if not path.exists():
            return  # it was written again meanwhile, without what was deleted
        raise
    report.packs += 1
    report.members += len(found.members)
    for member in found.damaged:
        report.damaged.append(f"Pack {path.stem} is damaged at {member.offset}: {member.name}. Restore the pack's file from a copy.")
    there = {member.offset: member for member in found.members}
    damaged = {member.offset for member in found.damaged}
    for offset, sha256 in indexed.items():
        if offset in damaged:
            continue
        if offset not in there or there[offset].sha256 != sha256:
            report.lost.append(f"Pack {path.stem} does not hold what the index has at {offset}. Restore the pack's file from a copy.")
    is_being_written = row is not None and row.state == "open" and not repair
    strangers = [] if is_being_written else [member for offset, member in there.items() if offset not in indexed]
    mend = "It was indexed." if repair else "Run `hilum verify --repair` with the server stopped."
    report.unindexed += [f"Pack {path.stem} holds {member.name} at {member.offset}, and the index does not. {mend}" for member in strangers]
    if repair and (strangers or row is None):
        kind = found.members[0].note.kind or "received" if found.members else "received"
        if row is None:
            app.pack_index.open_pack(kind, path.stem)
            app.pack_index.seal_pack(path.stem, found.size)
        report.repaired += app.rebuilder.adopt(kind, found.members)


def _import_found(app: Application) -> None:
    """The catalogue anew: importing reads what was indexed. The other stages run when the server does."""
    stop = Stop()
    with tended_pool(app, "deidentified") as deidentified, tended_pool(app, "results") as results:
        worker = make_worker(app, "verify", stop, lambda _: None, deidentified, results, kinds=(Kind.INTAKE,))
        app.ledger.wake_due(SYSTEM)
        while worker.step():
            pass
