"""hilum delete: a study with everything made from it."""

import sys
from typing import Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Server, connect, find_study
from hilum.cli.telling import printable, say
from hilum.cli.why import Study
from hilum.model.words import count

Needed = Annotated[str, typer.Option("--reason", help="Stays, with when and who, on the tombstone.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def run(study: Study, reason: Needed, yes: Yes = False, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Delete a study, its de-identified copies and its results, for good. For administrators."""
    with connect(server, data) as hilum:
        found = find_study(hilum, study)
        if not yes:
            _ask(f"Delete study {found.id} with {count(found.number_of_instances or 0, 'image')} and all that was made from them?")
        hilum.studies.delete(found.id, reason)
    say(printable(f"Study {found.id} is deleted. Its bytes are erased from the packs now."))


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to ask; add --yes.")
    typer.confirm(question, abort=True)
