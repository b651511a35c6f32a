"""hilum deid: de-identified copies of files, without a server."""

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.configuring import Config, Data, configure
from hilum.cli.connecting import Json
from hilum.cli.telling import note, print_json, printable, say

Given = Annotated[Path, typer.Argument(metavar="IN", exists=True, help="A file, or a folder with all below it.")]
Out = Annotated[Path, typer.Argument(file_okay=False, help="An empty folder, made where it is missing.")]
ProfileName = Annotated[str, typer.Option("--profile", help="basic, research, or one of `profiles` in the data directory.")]
Project = Annotated[str, typer.Option("--project", help="Whose key makes the pseudonyms.")]

_TOLD_EVERY = 500


def run(
    given: Given,
    out: Out,
    profile: ProfileName = "basic",
    project: Project = "admin",
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """De-identify files; a report without values is written beside them. Exit status 1 where something is held."""
    from hilum.runtime.deidentifying import as_facts, deidentify_files
    from hilum.runtime.keys import find_key
    from hilum.runtime.profiles import find_profile

    settings = configure(data, config)
    chosen = find_profile(settings, profile)
    outcome = deidentify_files(given, out, chosen, find_key(settings, project, note), tell=_tell)
    if json:
        print_json(as_facts(outcome))
    else:
        say(printable(f"{outcome.written} files are de-identified, {len(outcome.held)} held. The report is {outcome.report}."))
        for file, why in outcome.held:
            note(f"held: {file}: {why}")
    if outcome.held:
        raise typer.Exit(1)


def _tell(done: int, of: int) -> None:
    if done % _TOLD_EVERY == 0:
        note(f"{done} of {of} ...")
