"""hilum verify: what the disk holds, against what the ledger says."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.configuring import Config, Data, configure
from hilum.cli.connecting import Json
from hilum.cli.telling import note, print_json, printable, say
from hilum.model.words import count

if TYPE_CHECKING:
    from hilum.runtime.settings import Settings
    from hilum.runtime.verifying import Report

Repair = Annotated[bool, typer.Option("--repair", help="Index what the ledger does not know, and import it; with the server stopped.")]

EraseOrphaned = Annotated[
    bool, typer.Option("--erase-orphaned", help="Delete results whose workitem the ledger does not know; a server erases their bytes.")
]


def run(
    data: Data = None, config: Config = None, repair: Repair = False, erase_orphaned: EraseOrphaned = False, json: Json = False
) -> None:
    """Read every pack, compare every digest, hold packs and index against each other. May run beside the server."""
    settings = configure(data, config)
    report = _repair(settings) if repair else _verify(settings)
    if json:
        print_json(asdict(report) | {"is_sound": report.is_sound})
    else:
        _tell(report)
    if erase_orphaned:
        _erase_orphaned(settings)
    if not report.is_sound:
        raise typer.Exit(1)


def _erase_orphaned(settings: "Settings") -> None:
    from hilum.runtime.verifying import give_up_orphaned

    note(f"{count(give_up_orphaned(settings), 'orphaned member')} deleted; a server erases the bytes from the packs.")


def _verify(settings: "Settings", *, repair: bool = False) -> "Report":
    from hilum.model.errors import NotFoundError
    from hilum.runtime.verifying import verify_vault

    if not settings.packs.is_dir():
        raise NotFoundError(f"There are no packs in {settings.data}.", "Name the data directory with --data.")
    if not repair and not settings.database and not (settings.data / "ledger.sqlite").is_file():
        raise NotFoundError(f"There is no ledger in {settings.data}.", "`hilum verify --repair` makes it anew from the packs alone.")
    return verify_vault(settings, repair=repair, on_pack=lambda pack_id: note(f"reading pack {pack_id} ..."))


def _repair(settings: "Settings") -> "Report":
    """No server may run meanwhile: what it writes would look like what is to be repaired."""
    from hilum.runtime.holding import DataDirectoryLock

    with DataDirectoryLock.acquire(settings.data, f"hilum verify --repair --data {settings.data.absolute()}"):
        return _verify(settings, repair=True)


def _tell(report: "Report") -> None:
    for sentence in (*report.damaged, *report.lost, *report.unindexed, *report.orphaned):
        say(printable(sentence))
    repaired = f" {report.repaired} were indexed anew." if report.repaired else ""
    verdict = "All is sound." if report.is_sound else "Not all is sound."
    say(f"{count(report.packs, 'pack')} with {count(report.members, 'member')} were read.{repaired} {verdict}")
