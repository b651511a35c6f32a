"""What happens before anything is served: the schema is brought up to date, packs are made whole, the first start makes its credentials."""

import logging
import os
import secrets
from pathlib import Path

from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role
from hilum.runtime.assembling import Application, assemble, ship
from hilum.runtime.settings import Settings
from hilum.stores.access import Grant
from hilum.stores.migrations import upgrade
from hilum.stores.packs import pack_path, recover, settle

_LOG = logging.getLogger(__name__)


def prepare(settings: Settings) -> None:
    """To be run by the one that holds the data directory's lock, before its children start."""
    for folder in (settings.data, settings.packs, settings.scratch):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = assemble(settings)
    try:
        upgrade(app.database)
        ship(app)
        recover_packs(app)
        make_credentials(app)
    finally:
        app.close()


def recover_packs(app: Application) -> int:
    """Make whole what a kill left: half rewritings, open packs, packs that the ledger does not know. Returns the members found."""
    folder = app.settings.packs
    rows = app.pack_index.list_packs()
    settlement = settle(folder, {row.id for row in rows})
    adopted = 0
    for row in rows:
        if row.state != "open":
            continue
        if pack_path(folder, row.id).exists():
            adopted += _recover(app, row.kind, row.id, row.indexed_end)
        elif row.indexed_end:
            _LOG.error("pack %s is gone with what was acknowledged in it: restore its file from a copy, see `hilum verify`", row.id)
        else:
            app.pack_index.forget_pack(row.id)  # nothing was ever in it
    for pack_id in settlement.unknown:
        adopted += adopt_pack(app, pack_id)
    if adopted or settlement.unknown:
        _LOG.warning("recovered %d members that were durable and not yet indexed", adopted)
    return adopted


def adopt_pack(app: Application, pack_id: str) -> int:
    """Take a pack that the ledger does not know into it, with all its members."""
    path = pack_path(app.settings.packs, pack_id)
    kind = kind_of(path)
    app.pack_index.open_pack(kind, pack_id)
    return _recover(app, kind, pack_id, 0)


def kind_of(path: Path) -> str:
    """What a pack is for: its first member's note says so; an empty one counts as received."""
    from hilum.stores.packs import scan

    first = next(iter(scan(path)), None)
    return first.member.note.kind or "received" if first is not None else "received"


def _recover(app: Application, kind: str, pack_id: str, start: int) -> int:
    recovery = recover(pack_path(app.settings.packs, pack_id), start)
    for member in recovery.damaged:
        _LOG.error("pack %s is damaged at %d: run `hilum verify`", pack_id, member.offset)
    adopted = app.rebuilder.adopt(kind, recovery.members)
    app.pack_index.seal_pack(pack_id, recovery.size)
    return adopted


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
    app.access.keep_token(SYSTEM, "first start", secret, [Grant(ADMIN_PROJECT, Role.ADMIN, may_see_identity=True)])
