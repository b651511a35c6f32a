"""hilum review: a reviewer's verdict on a result, and the ratings that were given."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Reason, Server, connect
from hilum.cli.deciding import tell_item
from hilum.cli.telling import say

commands = make_group("Accept or reject a result, or have it made again.")

Workitem = Annotated[str, typer.Argument(help="The id of a workitem that waits for a reviewer: `hilum held`.")]
Needed = Annotated[str, typer.Option("--reason", help="What is wrong; kept in the history.")]
Rated = Annotated[list[str] | None, typer.Option("--rating", help="NAME=0..10, a structure's or `overall`; several times.")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="How long the review took.")]
RatingsFile = Annotated[Path | None, typer.Option("--ratings", help="A JSON file: docs/review.md.", exists=True, dir_okay=False)]


@commands.command()
def accept(
    workitem: Workitem,
    reason: Reason = "",
    rating: Rated = None,
    minutes: Minutes = None,
    ratings: RatingsFile = None,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """The result is right: it is delivered."""
    given = _ratings(rating, minutes, ratings)
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "accept", reason, given), json)


@commands.command()
def reject(
    workitem: Workitem,
    reason: Needed,
    rating: Rated = None,
    minutes: Minutes = None,
    ratings: RatingsFile = None,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """The result is wrong: it is never delivered."""
    given = _ratings(rating, minutes, ratings)
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "reject", reason, given), json)


@commands.command()
def rerun(
    workitem: Workitem,
    reason: Reason = "",
    template: Annotated[str, typer.Option("--template", help="Another template than the same.")] = "",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """The result is made again, by the newest version of its template or of another one."""
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "rerun", reason, template=template), json)


@commands.command("ratings")
def export(
    out: Annotated[Path | None, typer.Option("--out", help="Write it there instead of printing it.")] = None,
    project: Annotated[str, typer.Option("--project", help="Of one project.")] = "",
    template: Annotated[str, typer.Option("--template", help="Of one template.")] = "",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
) -> None:
    """All ratings as CSV, a row a structure; without anybody's name."""
    with connect(server, data) as hilum:
        written = hilum.workitems.ratings_csv(project, template)
    if out is None:
        say(written.decode().rstrip("\r\n"))
    else:
        out.write_bytes(written)


def _ratings(pairs: list[str] | None, minutes: float | None, file: Path | None) -> dict[str, Any]:
    """What the options say, over what the file says."""
    import json

    given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file else {}
    for pair in pairs or ():
        name, _, number = pair.rpartition("=")
        if not name or not number.replace(".", "", 1).isdigit():
            raise typer.BadParameter(f"{pair!r} is no NAME=NUMBER.", param_hint="--rating")
        if name == "overall":
            given["overall"] = float(number)
        else:
            given.setdefault("structures", {})[name] = float(number)
    return given | ({"minutes": minutes} if minutes is not None else {})
