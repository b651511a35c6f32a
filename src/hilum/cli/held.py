"""hilum held: what needs a person."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_json, printable, say, since, styled
from hilum.cli.waiting import Waiting, list_waiting

Project = Annotated[str | None, typer.Option("--project", help="Of this project only.")]


def run(project: Project = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List what is held or failed, the longest waiting first, with what to do."""
    with connect(server, data) as hilum:
        waiting = list_waiting(hilum, project)
    if json:
        print_json([asdict(one) | {"mend": one.mend} for one in waiting])
    elif not waiting:
        say("Nothing needs a person.")
    else:
        now = datetime.now(UTC)
        for one in waiting:
            say(_line(one, now))


def _line(one: Waiting, now: datetime) -> str:
    where = styled(f"{one.status} at {one.stage}", "bad" if one.status == "failed" else "held")
    return f"{one.id}  {printable(one.what)}, {where}, {since(one.since_at, now)}: {printable(one.sentence)} -> {one.mend}"
