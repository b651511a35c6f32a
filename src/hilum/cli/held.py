"""hilum held: what needs a person."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_json, printable, say, since, styled

if TYPE_CHECKING:
    from hilum_sdk.models import WaitingItem

Project = Annotated[str | None, typer.Option("--project", help="Of this project only.")]
SHOWN_OF_UID = 12  # characters at its end: those that differ among the studies of one scanner


def run(project: Project = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List what is held or failed, the longest waiting first, with what to do."""
    with connect(server, data) as hilum:
        waiting = list(hilum.waiting.list(project))
    if json:
        print_json([one.model_dump(mode="json") for one in waiting])
    elif not waiting:
        say("Nothing needs a person.")
    else:
        now = datetime.now(UTC)
        for one in waiting:
            for line in _lines(one, now):
                say(line)


def called(one: "WaitingItem") -> str:
    """An item as people call it: study 4711 (brain_ms)."""
    if one.study is None:
        return f"upload {one.id}"
    number = one.accession_number or f"...{(one.study_instance_uid or one.study)[-SHOWN_OF_UID:]}"
    return f"study {number}" + (f", {one.template}" if one.template else "")


def _lines(one: "WaitingItem", now: datetime) -> Iterator[str]:
    where = styled(f"{one.status} at {one.stage}", "bad" if one.status == "failed" else "held")
    yield f"{styled(called(one), 'bold')}  project {one.project}, {where} for {since(datetime.fromisoformat(one.since_at), now)}"
    yield f"  {printable(one.why or '')}"
    for way in one.ways:
        yield f"  {styled('->', 'dim')} {printable(way.does)}: {styled(way.command, 'bold')}"
