"""hilum tombstone: what was deleted."""

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, say

commands = make_group("List what was deleted.")


@commands.callback()
def tombstone() -> None:
    """List what was deleted."""


@commands.command("list")
def list_tombstones(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the studies that were deleted: when, by whom, why, and whether their bytes are erased. For administrators."""
    from hilum.cli.administering import list_all

    with connect(server, data) as hilum:
        stones = list_all(hilum, "/tombstones")
    if json:
        print_json(stones)
    elif not stones:
        say("Nothing was deleted.")
    else:
        rows = [
            (one["at"][:19], one["study"], str(one["number_of_instances"]), _erased(one["erased_at"]), one["who"], one["reason"])
            for one in stones
        ]
        print_columns(("at", "study", "images", "bytes", "by", "reason"), rows)


def _erased(at: str | None) -> str:
    return "erased" if at else "being erased"
