"""hilum token: credentials of programs."""

from typing import Annotated, Any

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import note, print_columns, print_json, say
from hilum.model.identity import ADMIN_PROJECT, Role

commands = make_group("Make, list and revoke tokens for programs.")

RoleOption = Annotated[Role, typer.Option("--role", help="What it may do.")]
ProjectOption = Annotated[str, typer.Option("--project", help="Where; a role in project admin holds in every project.")]
Sees = Annotated[bool, typer.Option("--may-see-identity", help="Names, patient IDs and accession numbers are shown.")]
Id = Annotated[str, typer.Argument(help="Its id: `hilum token list`.")]
Name = Annotated[str, typer.Option("--name", help="What it is for; written into the history.")]


@commands.callback()
def token() -> None:
    """Make, list and revoke tokens for programs."""


@commands.command()
def create(
    role: RoleOption,
    name: Name = "command line",
    project: ProjectOption = ADMIN_PROJECT,
    may_see_identity: Sees = False,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Make a token; it is shown this once."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        made = post(hilum, "/tokens", {"name": name, "role": role, "project": project, "may_see_identity": may_see_identity})
    if json:
        print_json(made)
    else:
        note("Keep it: it is shown this once.")
        say(made["token"])


@commands.command("list")
def list_tokens(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the tokens of your projects, without their secrets."""
    from hilum.cli.administering import list_all, tell_grants

    with connect(server, data) as hilum:
        tokens = list_all(hilum, "/tokens")
    if json:
        print_json(tokens)
    else:
        rows = [(one["id"], one["created_at"][:10], _state(one), tell_grants(one), one["name"]) for one in tokens]
        print_columns(("id", "made", "state", "may", "name"), rows)


@commands.command()
def revoke(token_id: Id, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Revoke a token: it opens nothing any more."""
    from hilum.cli.administering import delete
    from hilum_sdk.session import path_of

    with connect(server, data) as hilum:
        delete(hilum, path_of("tokens", token_id))
    say(f"Token {token_id} opens nothing any more.")


def _state(token: dict[str, Any]) -> str:
    if token["revoked_at"]:
        return "revoked"
    return f"until {token['expires_at'][:10]}" if token["expires_at"] else "valid"
