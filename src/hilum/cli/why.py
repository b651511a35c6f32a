"""hilum why: where a study stands, since when, what it waits for, and how it came there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect, find_study
from hilum.cli.telling import print_json, printable, say, styled

if TYPE_CHECKING:
    from hilum_sdk.models import Series, Why

Study = Annotated[str, typer.Argument(help="Its id, Study Instance UID or accession number.")]


def run(study: Study, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Tell where a study stands, since when, what it waits for, and every move with its reason."""
    with connect(server, data) as hilum:
        why = hilum.studies.why(found := find_study(hilum, study).id)
        series = list(hilum.series.list(study=found))
    if json:
        print_json(why.model_dump(mode="json") | {"series": [one.model_dump(mode="json") for one in series]})
    else:
        _tell(why, series)


def _tell(why: "Why", series: "Sequence[Series]") -> None:
    members = why.model_extra or {}
    for sentence in members.get("sentences", [why.why]):
        say(printable(str(sentence)))
    say()
    for one in series:
        say(printable(f"{one.modality} {one.description or 'no description'}: {one.series_status}. {one.series_status_meaning}"))
    say()
    for move in members.get("moves", []):
        if move["verb"] != "claim":  # that a worker took it says nothing that the next row does not
            say(_line(move))


def _line(move: dict[str, Any]) -> str:
    at = str(move["at"]).replace("T", " ").removesuffix("Z")
    place = f"{move['from_stage']} {move['verb']}"
    return f"{styled(at, 'dim')}  {move['kind']:<8}  {place:<24}  {printable(str(move['why']))}"
