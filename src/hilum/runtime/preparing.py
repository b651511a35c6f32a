"""What happens before anything is served: the schema is brought up to date, packs are made whole, the first start makes its credentials."""

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError, StorageError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role
from hilum.model.members import StoredMember
from hilum.runtime.assembling import Application, assemble, ship
from hilum.runtime.settings import Settings
from hilum.stores.access import Grant
from hilum.stores.migrations import upgrade
from hilum.stores.pack_index import PackRow
from hilum.stores.packs import find_successor, pack_path, recover, scan, settle, verify

Report = Callable[[str], None]

_LOG = logging.getLogger(__name__)


def prepare(settings: Settings) -> None:
    """To be run by the one that holds the data directory's lock, before its children start."""
    for folder in (settings.data, settings.packs, settings.scratch):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = assemble(settings)
    try:
        with app.database.alone("prepare"):  # several machines may start at once on an empty PostgreSQL
            upgrade(app.database)
            ship(app)
            make_credentials(app)
        recover_packs(app)
    finally:
        app.close()


def recover_packs(app: Application, report: Report = _LOG.error) -> int:
    """Make whole what a kill left: half rewritings, open packs, packs that the ledger does not know. Returns the members found.

    Args:
        report: is told what could not be mended; one pack's trouble stops no other.
    """
    adopted = follow_rewritings(app, report)
    unknown = finish_rewritings(app)
    adopted += recover_open_packs(app, report)
    for pack_id in _by_age(app, unknown):
        with reported(report):
            adopted += adopt_pack(app, pack_id, report)
    if adopted or unknown:
        _LOG.warning("recovered %d members that were durable and not yet indexed", adopted)
    return adopted


def follow_rewritings(app: Application, report: Report = _LOG.error) -> int:
    """Where a pack is gone and another was put in its place, the ledger is older than an erasing: it goes on with the other one.

    What was erased stays erased. Returns the members that were new to the ledger.
    """
    rows = app.pack_index.list_packs()
    known, adopted = {row.id for row in rows}, 0
    for row in rows:
        if not pack_path(app.settings.packs, row.id).exists():
            path = find_successor(app.settings.packs, row.id)
            with reported(report):
                adopted += _follow(app, row, path) if path is not None and path.stem not in known else 0
    return adopted


def _follow(app: Application, row: PackRow, path: Path) -> int:
    found = verify(path)
    if not found.is_sealed:  # half of it would look as if the rest had been erased
        raise StorageError(f"Pack {path.stem}, in the place of {row.id}, is not whole.", "Restore its file from a copy.")
    members = sorted((*found.members, *found.damaged), key=lambda member: member.offset)
    buried = app.eraser.follow(row.id, path.stem, found.size, members)
    _LOG.warning("pack %s was written again after the ledger's copy was made; %d studies had been erased", row.id, buried)
    return app.rebuilder.adopt(row.kind, found.members)


def finish_rewritings(app: Application) -> Sequence[str]:
    """Remove what killed rewritings left; by the one that rewrites packs, or before there is one. Returns packs that nobody knows."""
    return settle(app.settings.packs, app.pack_index.pack_ids()).unknown


def recover_open_packs(app: Application, report: Report = _LOG.error) -> int:
    """Recover and seal packs whose process was killed; one that somebody writes is left alone. Returns the members found."""
    rows = {row.id: row for row in app.pack_index.list_packs("open")}
    adopted = 0
    for pack_id in _by_age(app, rows):
        with reported(report), suppress(ConflictError):
            adopted += recover_pack(app, rows[pack_id], report)
    return adopted


def adopt_pack(app: Application, pack_id: str, report: Report = _LOG.error) -> int:
    """Take a pack that the ledger does not know into it, with all its members. Returns how many."""
    kind = kind_of(pack_path(app.settings.packs, pack_id))
    app.pack_index.open_pack(kind, pack_id)
    return _recover(app, kind, pack_id, 0, report)


def kind_of(path: Path) -> str:
    """What a pack is for: its first member's note says so; an empty one counts as received."""
    first = _first_member(path)
    return first.note.kind or "received" if first is not None else "received"


def recover_pack(app: Application, row: PackRow, report: Report = _LOG.error) -> int:
    """Index what stands behind the last indexed member of a pack, cut off what is torn, and seal it. Returns the members found."""
    if pack_path(app.settings.packs, row.id).exists():
        return _recover(app, row.kind, row.id, row.indexed_end, report)
    if app.database.is_shared:
        return 0  # it lies on another machine; `hilum verify` tells of one that lies nowhere
    if row.indexed_end:
        report(f"Pack {row.id} is gone with what was acknowledged in it. Restore its file from a copy, see `hilum verify`.")
    else:
        app.pack_index.forget_pack(row.id)  # nothing was ever in it
    return 0


def _recover(app: Application, kind: str, pack_id: str, start: int, report: Report) -> int:
    recovery = recover(pack_path(app.settings.packs, pack_id), start)
    for member in recovery.damaged:
        report(f"Pack {pack_id} is damaged at {member.offset}. Run `hilum verify`.")
    adopted = app.rebuilder.adopt(kind, recovery.members)
    app.pack_index.seal_pack(pack_id, recovery.size)
    return adopted


def _by_age(app: Application, pack_ids: Iterable[str]) -> list[str]:
    """Of two deliveries of the same instance the first is the one that counts, also when the ledger is made anew."""
    return sorted(pack_ids, key=lambda pack_id: (_first_received_at(pack_path(app.settings.packs, pack_id)), pack_id))


def _first_received_at(path: Path) -> datetime:
    with suppress(HilumError):  # a pack that cannot be read is reported when it is its turn
        first = _first_member(path)
        if first is not None:
            return first.note.received_at
    return datetime.min.replace(tzinfo=UTC)


def _first_member(path: Path) -> StoredMember | None:
    first = next(iter(scan(path)), None)
    return None if first is None else first.member


@contextmanager
def reported(report: Report) -> Iterator[None]:
    """Trouble with one pack is told, and goes no further."""
    try:
        yield
    except HilumError as error:
        report(str(error))


def make_credentials(app: Application) -> None:
    """The first start makes an administrator's token: its hash into the ledger, itself into `credentials` (0600)."""
    if app.settings.admin_token or app.access.has_tokens():
        return
    path = app.settings.credentials
    secret = secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    app.access.keep_token(SYSTEM, "first administrator", secret, [Grant(ADMIN_PROJECT, Role.ADMIN, may_see_identity=True)])
