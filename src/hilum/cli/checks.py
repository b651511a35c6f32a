"""hilum checks: what each check looks for; run them again, clear what they found, accept it."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say

commands = make_group("List the checks, run them again, clear or accept what they found.")

Study = Annotated[str, typer.Argument(help="Its id, Study Instance UID or accession number.")]
Check = Annotated[str, typer.Option("--check", help="The check's kind, as `hilum checks list` has it.")]
Project = Annotated[str, typer.Option("--project", help="Whose findings.")]
Series = Annotated[str | None, typer.Option("--series", help="Of this series only: its id or Series Instance UID.")]
Containing = Annotated[str, typer.Option("--containing", help="Only findings whose sentence has these words in it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why it does no harm.")]


@commands.command("list")
def list_checks(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the checks with what they mean and what to do."""
    from hilum.cli.administering import list_all

    with connect(server, data) as hilum:
        checks = list_all(hilum, "/checks")
    if json:
        print_json(checks)
    for one in () if json else checks:
        say(printable(f"{one['kind']} ({one['severity']}): {one['meaning']} {one['mend']}"))


@commands.command()
def run(study: Study, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Run the checks on a study again."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        item = post(hilum, f"/studies/{hilum.studies.get(study).id}/checks", {})
    print_json(item) if json else say(printable(f"{item['id']} is {item['status']} at {item['stage']}: {item['why']}"))


@commands.command()
def clear(study: Study, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Delete what the checks found in a study."""
    from hilum.cli.administering import delete

    with connect(server, data) as hilum:
        delete(hilum, f"/studies/{hilum.studies.get(study).id}/findings")
    say("The findings are cleared; what was decided on them stays decided.")


@commands.command()
def accept(
    check: Check,
    project: Project,
    reason: Reason,
    series: Series = None,
    containing: Containing = "",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Accept findings of a check, for a project or one of its series."""
    from hilum.cli.administering import post

    body = {"project": project, "check": check, "containing": containing, "series": series, "reason": reason}
    with connect(server, data) as hilum:
        made = post(hilum, "/acceptances", body)
    print_json(made) if json else say(printable(f"Accepted as {made['id']}. It counts when the checks run: `hilum checks run STUDY`."))


@commands.command()
def accepted(project: Project, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List what is accepted in a project."""
    from hilum.cli.administering import list_all

    with connect(server, data) as hilum:
        found = list_all(hilum, f"/acceptances?project={project}")
    if json:
        print_json(found)
    else:
        columns = ("id", "check", "containing", "series_instance_uid", "who", "reason")
        print_columns(columns, [[str(one[column] or "") for column in columns] for one in found])


@commands.command()
def withdraw(
    acceptance: Annotated[int, typer.Argument(help="Its id.")], server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA
) -> None:
    """Accept it no more."""
    from hilum.cli.administering import delete

    with connect(server, data) as hilum:
        delete(hilum, f"/acceptances/{acceptance}")
    say("It is accepted no more.")
