"""hilum project: whose images they are."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say

commands = make_group("Make, direct and list projects.")

Name = Annotated[str, typer.Argument(help="Letters, digits, _ and -, at most 64.")]
Description = Annotated[str | None, typer.Option("--description", help="For people.")]
AeTitle = Annotated[str | None, typer.Option("--ae-title", help="Needed for names of more than 13 characters.")]

Reidentification = Annotated[str, typer.Option("--reidentification", help="never or allowed.")]


@commands.command()
def create(
    name: Name,
    description: Description = None,
    ae_title: AeTitle = None,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Make a project."""
    with connect(server, data) as hilum:
        project = hilum.projects.create(name, description=description, ae_title=ae_title)
    if json:
        print_json(project.model_dump(mode="json"))
    else:
        say(printable(f"Project {project.name} is made."))


@commands.command()
def direct(
    name: Name, reidentification: Reidentification, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False
) -> None:
    """Say whether anything of a project may ever be re-identified; for administrators who may see identities."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        directed = post(hilum, f"/projects/{name}/direction", {"reidentification": reidentification})
    if json:
        print_json(directed)
    else:
        say(printable(f"Re-identification in project {name}: {directed['reidentification']}."))


@commands.command("list")
def list_projects(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the projects that you see."""
    with connect(server, data) as hilum:
        projects = list(hilum.projects.list())
    if json:
        print_json([project.model_dump(mode="json") for project in projects])
    else:
        print_columns(("name", "description"), [(project.name, project.description or "") for project in projects])
