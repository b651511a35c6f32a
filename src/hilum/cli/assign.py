"""hilum assign: choose a template by hand and send series there."""

from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect, find_study
from hilum.cli.telling import print_json, printable, say
from hilum.model.errors import InvalidError

if TYPE_CHECKING:
    from hilum_sdk import Hilum

Study = Annotated[str, typer.Argument(help="The study: its id, Study Instance UID or accession number.")]
Template = Annotated[str, typer.Option("--template", help="The report type: `hilum template list`.")]
Series = Annotated[list[str] | None, typer.Option("--series", help="One of its series, by id or Series Instance UID; default: all.")]
Role = Annotated[list[str] | None, typer.Option("--role", help="ROLE=SERIES, where the template would not find it.")]
Again = Annotated[bool, typer.Option("--again", help="Also what was done with this version of the template already.")]


def run(
    study: Study,
    template: Template,
    series: Series = None,
    role: Role = None,
    again: Again = False,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Choose a template by hand and send a study's series there; one line a series. Exit status 1 where one was not sent.

    The study must be held at matching, or through with it; what is being processed is refused, and nothing is sent twice.
    """
    with connect(server, data) as hilum:
        known = _series_of(hilum, study)
        roles = dict(_parse_role(one, known) for one in role or [])
        ids = [_find(one, known) for one in series] if series else list(dict.fromkeys([*roles, *([] if roles else known.values())]))
        answers = hilum.series.assign(ids, template, roles, again=again)
    if json:
        print_json([answer.model_dump(mode="json") for answer in answers])
    else:
        for answer in answers:
            say(printable(f"{answer.series}  {answer.sentence}" + (f" Workitem {answer.workitem}." if answer.workitem else "")))
    if not all(answer.workitem for answer in answers):
        raise typer.Exit(1)


def _series_of(hilum: "Hilum", study: str) -> dict[str, str]:
    """Id and Series Instance UID -> id."""
    found = list(hilum.series.list(study=find_study(hilum, study).id))
    return {name: one.id for one in found for name in (one.id, one.series_instance_uid or one.id)}


def _find(named: str, known: dict[str, str]) -> str:
    if named not in known:
        raise InvalidError(f"The study has no series {named}.", "Name one by its id or Series Instance UID.")
    return known[named]


def _parse_role(text: str, known: dict[str, str]) -> tuple[str, str]:
    role, found, named = text.partition("=")
    if not found:
        raise InvalidError(f"{text!r} is no role.", "Write ROLE=SERIES, as in t1=1.2.826.0.1.")
    return _find(named, known), role
