"""hilum status: how much stands where."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.held import Project, called
from hilum.cli.telling import print_columns, print_json, printable, say, since
from hilum.model.words import count

if TYPE_CHECKING:
    from hilum_sdk.models import Standing

HEADS = ("kind", "stage", "status", "number")


def run(project: Project = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Count items by kind, stage and status, and name what has waited longest for a person and what was refused in the last day."""
    with connect(server, data) as hilum:
        standing = hilum.waiting.standing(project)
    if json:
        print_json(standing.model_dump(mode="json"))
        return
    if standing.items:
        rows: list[dict[str, Any]] = [one.model_dump() for one in standing.items]
        print_columns(HEADS, [[str(row[head]) for head in HEADS] for row in rows])
    else:
        say("Nothing has arrived yet.")
    for line in _lines(standing, datetime.now(UTC)):
        say(printable(line))


def _lines(standing: "Standing", now: datetime) -> Iterator[str]:
    for refused in standing.refused:
        yield f"Refused {since(datetime.fromisoformat(refused.since_at), now)} ago: {called(refused)} in {refused.project}: {refused.why}"
    oldest = standing.oldest
    if oldest is None:
        yield "Nothing needs a person."
        return
    needs = "needs" if standing.need_a_person == 1 else "need"
    ago = since(datetime.fromisoformat(oldest.since_at), now)
    yield f"{count(standing.need_a_person, 'item')} {needs} a person; the oldest has waited {ago}: {called(oldest)}: {oldest.why}"
    yield "`hilum held` tells what to do."
