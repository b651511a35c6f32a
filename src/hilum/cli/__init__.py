"""The command line: one file a command or group, imported only when it is asked for, so that `hilum --help` answers at once."""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hilum import __version__
from hilum.cli.telling import Explained, sentence_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: what it does in a line, so that the list needs no import, and whether the list shows it.

    Its module has the command's own name and holds `run`, or `commands`, a group of several.
    """

    does: str
    is_listed: bool = True


COMMANDS: dict[str, Entry] = {
    "serve": Entry("Run everything: web, API, the DIMSE door and workers."),
    "demo": Entry("The main job from nothing: two phantom studies through a private server."),
    "process": Entry("Upload a folder or a zip, wait, download the results."),
    "upload": Entry("Upload a folder or a zip."),
    "status": Entry("How much stands where, and what has waited longest."),
    "why": Entry("Where a study stands, since when, what it waits for, and every move."),
    "explain": Entry("Why each series of a study fits a report type, or does not, condition by condition."),
    "findings": Entry("What the checks found in a study; --html writes the report."),
    "checks": Entry("List the checks, run them again, clear or accept what they found."),
    "held": Entry("What needs a person, with what to do."),
    "retry": Entry("Let a held, failed or deferred item go on."),
    "send-back": Entry("Send an item back to an earlier stage."),
    "assign": Entry("Choose a template by hand and send a study's series there."),
    "cancel": Entry("Stop an item for good."),
    "review": Entry("Accept or reject a result, or have it made again."),
    "delete": Entry("Delete a study with everything made from it."),
    "deid": Entry("De-identify files without a server."),
    "key": Entry("Make and list the keys that pseudonyms are made with."),
    "crosswalk": Entry("Look pseudonyms up, for who may see identities."),
    "tombstone": Entry("List what was deleted."),
    "set-aside": Entry("List and delete what could not be used."),
    "project": Entry("Make, direct and list projects."),
    "pacs": Entry("Add, list, echo and remove PACS nodes and other DICOM peers."),
    "token": Entry("Make, list and revoke tokens for programs."),
    "user": Entry("Add, list and remove people."),
    "template": Entry("List, show, try and save report types."),
    "verify": Entry("Read every pack, compare every digest; --repair rebuilds the index."),
    "backup": Entry("A consistent copy of the ledger, while the server runs."),
    "doctor": Entry("What is in order on this machine and what is not, with the mend."),
    "version": Entry("The version."),
    # the parts of `serve`, which starts them itself
    "prepare": Entry("Bring a data directory up to date.", is_listed=False),
    "web": Entry("The web process.", is_listed=False),
    "dimse": Entry("A DIMSE process.", is_listed=False),
    "work": Entry("A worker process.", is_listed=False),
}

PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}
"""Plain help: `rich` would take longer to import than everything else together."""


class Commands(TyperGroup):
    """The group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's own signature
        return [name for name, entry in COMMANDS.items() if entry.is_listed]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the group's own signature
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list, out of the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].does) for name in self.list_commands(ctx)])


def load(name: str) -> Any:
    """The command `name`, from its module."""
    module = importlib.import_module(f"hilum.cli.{name.replace('-', '_')}")
    if hasattr(module, "commands"):
        return typer.main.get_command(module.commands)
    made = typer.Typer(**PLAIN)
    made.command(name)(module.run)
    return typer.main.get_command(made)


def make_group(does: str) -> typer.Typer:
    """A group of several commands: `hilum project create`."""
    return typer.Typer(help=does, no_args_is_help=True, **PLAIN)


root = typer.Typer(cls=Commands, no_args_is_help=True, **PLAIN)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(__version__)
        raise typer.Exit


@root.callback()
def hilum(
    _version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Hilum: the gateway for medical images. Research use, not for diagnosis."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done; 1 the work failed, and stderr has one sentence with the mend; 2 wrong usage.
    """
    try:
        typer.main.get_command(root)(args=arguments, prog_name="hilum")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:  # the last one to hear it: whatever it is becomes one sentence
        if os.environ.get("HILUM_DEBUG") == "1" and not isinstance(error, Explained):
            raise
        print(f"hilum: {sentence_of(error)}", file=sys.stderr)
        return 1
    return 0
