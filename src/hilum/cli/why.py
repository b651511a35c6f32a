"""hilum why: where a study stands, since when, what it waits for, and how it came there."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect, find_study
from hilum.cli.telling import print_json, printable, say, styled

if TYPE_CHECKING:
    from hilum_sdk.models import Why

Study = Annotated[str, typer.Argument(help="Its id, Study Instance UID or accession number.")]


def run(study: Study, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Tell where a study stands, since when, what it waits for, and every move with its reason."""
    with connect(server, data) as hilum:
        why = hilum.studies.why(find_study(hilum, study).id)
    if json:
        print_json(why.model_dump(mode="json"))
    else:
        _tell(why)


def _tell(why: "Why") -> None:
    members = why.model_extra or {}
    for sentence in members.get("sentences", [why.why]):
        say(printable(str(sentence)))
    say()
    for move in members.get("moves", []):
        if move["verb"] != "claim":  # that a worker took it says nothing that the next row does not
            say(_line(move))


def _line(move: dict[str, Any]) -> str:
    at = str(move["at"]).replace("T", " ").removesuffix("Z")
    place = f"{move['from_stage']} {move['verb']}"
    return f"{styled(at, 'dim')}  {move['kind']:<8}  {place:<24}  {printable(str(move['why']))}"
