"""hilum status: how much stands where."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say, since
from hilum.cli.waiting import Waiting, list_waiting

if TYPE_CHECKING:
    from hilum_sdk import Hilum

ITEMS = re.compile(r'^hilum_items\{kind="(\w+)",stage="(\w+)",status="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)


def run(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Count items by kind, stage and status, and name the one that has waited longest for a person."""
    with connect(server, data) as hilum:
        standing = _count_items(hilum)
        waiting = list_waiting(hilum)
    if json:
        print_json({"items": standing, "need_a_person": len(waiting), "oldest_since": waiting[0].since_at if waiting else None})
        return
    if standing:
        heads = ("kind", "stage", "status")
        print_columns((*heads, "number"), [[*(str(row[head]) for head in heads), str(row["number"])] for row in standing])
    else:
        say("Nothing has arrived yet.")
    say(_oldest(waiting))


def _count_items(hilum: "Hilum") -> list[dict[str, str | int]]:
    """What the server counts for Prometheus is what a person wants to know first."""
    from hilum.cli.administering import fetch_text

    found = (match.groups() for match in ITEMS.finditer(fetch_text(hilum, "/metrics")))
    return [{"kind": kind, "stage": stage, "status": status, "number": int(float(number))} for kind, stage, status, number in found]


def _oldest(waiting: list[Waiting]) -> str:
    if not waiting:
        return "Nothing needs a person."
    oldest = waiting[0]
    number = "1 item needs" if len(waiting) == 1 else f"{len(waiting)} items need"
    ago = since(oldest.since_at, datetime.now(UTC))
    return printable(f"{number} a person; the oldest has waited {ago}, {oldest.what} {oldest.id}: {oldest.sentence}")
