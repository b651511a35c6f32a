"""hilum crosswalk: whom a pseudonym stands for, and which pseudonyms stand for somebody."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say
from hilum.model.words import count

commands = make_group("Look pseudonyms up, for who may see identities; give up what no key opens.")

Pseudonym = Annotated[str, typer.Argument(help="A UID, or what stands for a patient.")]
Project = Annotated[str, typer.Option("--project", help="Whose pseudonym.")]
PatientId = Annotated[str, typer.Option("--patient-id", help="The original Patient ID.")]
Issuer = Annotated[str, typer.Option("--issuer", help="Its Issuer of Patient ID, where it has one.")]
Uid = Annotated[str, typer.Option("--uid", help="The original UID of a study, series, instance or frame of reference.")]


@commands.command("look-up")
def look_up(
    pseudonym: Pseudonym, project: Project = "admin", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False
) -> None:
    """Show what a pseudonym stands for; only where the project allows re-identification. Exit status 1 where nothing is known."""
    from urllib.parse import urlencode

    from hilum.cli.administering import get

    with connect(server, data) as hilum:
        found = get(hilum, f"/crosswalk?{urlencode({'project': project, 'pseudonym': pseudonym})}")["items"]
    if json:
        print_json(found)
    for one in () if json else found:
        told = [("uid", one["uid"])] if one["uid"] else []
        print_columns((one["named"], ""), [*told, *one["values"].items()])
    if not found:
        say(printable(f"{pseudonym} stands for nothing in project {project}."))
        raise typer.Exit(1)


@commands.command("give-up")
def give_up(
    key: Annotated[str, typer.Argument(help="The id of the key, as the message says that it is missing.")],
    reason: Annotated[str, typer.Option("--reason", help="How it was lost.")],
    project: Project = "admin",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Remove the rows of a key that is lost for ever: nothing opens them, and deletions wait for it. For administrators."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        removed = post(hilum, "/crosswalk/give-up", {"project": project, "key": key, "reason": reason})["removed"]
    if json:
        print_json({"removed": removed})
    else:
        say(printable(f"The key {key} of project {project} is given up: {count(removed, 'row')} removed."))


@commands.command()
def search(
    project: Project = "admin",
    patient_id: PatientId = "",
    issuer: Issuer = "",
    uid: Uid = "",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Show the pseudonyms of a patient or a UID."""
    from hilum.cli.administering import post

    body = {"project": project, "patient_id": patient_id, "issuer_of_patient_id": issuer, "uid": uid}
    with connect(server, data) as hilum:
        found = post(hilum, "/crosswalk/search", body)["items"]
    if json:
        print_json(found)
    else:
        print_columns(("pseudonym",), [(one["pseudonym"],) for one in found])
