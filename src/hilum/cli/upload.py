"""hilum upload: images to a server, without waiting for results."""

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import note, print_json, printable, say
from hilum.model.errors import HilumError

Source = Annotated[Path, typer.Argument(exists=True, help="A folder, or a zip file.")]
Project = Annotated[str, typer.Option("--project", help="Whose images they are.")]
ReportType = Annotated[str | None, typer.Option("--report-type", help="The template that shall process them; else the rules choose.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="A label for the studies.")]
Resume = Annotated[str | None, typer.Option("--resume", help="The id of an upload that was interrupted, to go on with it.")]


def run(
    source: Source,
    project: Project,
    report_type: ReportType = None,
    dataset: Dataset = None,
    resume: Resume = None,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Upload a folder, skipping what the server already holds, or a zip, all of it or nothing."""
    with connect(server, data, retry_for=60.0) as hilum:
        if source.is_dir():
            upload = hilum.uploads.upload_folder(source, project, report_type, dataset, resume=resume)
        elif resume:
            raise HilumError("A zip cannot be resumed: all of it is taken or nothing.", "Upload it again without --resume.")
        else:
            upload = hilum.uploads.upload_zip(source, project, report_type, dataset)
    for file in upload.skipped:
        note(f"skipped {file.name}: {file.reason}")
    if json:
        print_json(upload.model_dump(mode="json"))
    else:
        say(printable(f"Upload {upload.id} is complete: every file is on stable storage at {server}."))
        say("`hilum status` shows how far it is; `hilum held` what needs you.")
