"""hilum upload: images to a server, without waiting for results."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import note, print_json, printable, say
from hilum.model.errors import HilumError
from hilum.model.words import count

if TYPE_CHECKING:
    from hilum_sdk import Hilum
    from hilum_sdk.models import Upload

Source = Annotated[Path, typer.Argument(exists=True, help="A folder, or a zip file.")]
Project = Annotated[str, typer.Option("--project", help="Whose images they are.")]
ReportType = Annotated[str | None, typer.Option("--report-type", help="The template that shall process them; else the rules choose.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="A label for the studies.")]
Resume = Annotated[str | None, typer.Option("--resume", help="The id of an upload that was interrupted, to go on with it.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is imported, so that what cannot be used is told.")]

IMPORTING_SECONDS = 3600.0
MOST_SENTENCES = 10


@dataclass(frozen=True)
class Sending:
    """What is sent, and for what."""

    source: Path
    project: str
    report_type: str | None = None
    dataset: str | None = None


def run(
    source: Source,
    project: Project,
    report_type: ReportType = None,
    dataset: Dataset = None,
    resume: Resume = None,
    wait: Wait = True,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Upload a folder, skipping what the server already holds, or a zip, all of it or nothing. Exit status 1 where nothing can be used."""
    with connect(server, data, retry_for=60.0) as hilum:
        upload = send(hilum, Sending(source, project, report_type, dataset), resume)
        if wait:
            note("stored; importing ...")
            upload = hilum.uploads.wait_imported(upload.id, timeout=IMPORTING_SECONDS)
    if json:
        print_json(upload.model_dump(mode="json"))
    else:
        _tell(upload, server)


def send(hilum: "Hilum", sending: Sending, resume: str | None = None) -> "Upload":
    """Upload a folder or a zip, and tell which files were not sent.

    Raises:
        HilumError: a zip cannot be resumed.
    """
    if not sending.source.is_dir():
        if resume:
            raise HilumError("A zip cannot be resumed: all of it is taken or nothing.", "Upload it again without --resume.")
        return hilum.uploads.upload_zip(sending.source, sending.project, sending.report_type, sending.dataset)
    with _telling_the_way_on(sending) as started:
        upload = hilum.uploads.upload_folder(
            sending.source, sending.project, sending.report_type, sending.dataset, resume=resume, on_start=started.append
        )
    for file in upload.skipped:
        note(f"skipped {file.name}: {file.reason}")
    return upload


@contextmanager
def _telling_the_way_on(sending: Sending) -> "Iterator[list[Upload]]":
    """Whatever interrupts an upload that was started, its sender learns the command that goes on with it."""
    started: list[Upload] = []
    try:
        yield started
    except BaseException:  # Ctrl-C too
        if started:
            again = ["hilum", "upload", str(sending.source), "--project", sending.project, "--resume", started[0].id]
            note(f"The upload {started[0].id} is open, and what was sent is kept. This goes on with it: {shlex.join(again)}")
        raise


def _tell(upload: "Upload", server: str) -> None:
    say(printable(f"Upload {upload.id}: {_counted(upload)} Every file is on stable storage at {server}."))
    for sentence in upload.sentences[:MOST_SENTENCES]:
        say(printable(f"  {sentence}"))
    if len(upload.sentences) > MOST_SENTENCES:
        say(f"  ... and {len(upload.sentences) - MOST_SENTENCES} more: add --json.")
    for study in upload.studies[:MOST_SENTENCES]:
        say(f"  study {study.id}: {server.rstrip('/')}/studies/{study.id}")
    say("It is held: `hilum held` tells what to do." if upload.outcome == "held" else "`hilum why STUDY` tells where a study stands.")


def _counted(upload: "Upload") -> str:
    """3 files received, 2 imported, 1 already held."""
    counts = upload.counts
    named = ((counts.imported, "imported"), (counts.already_held, "already held"), (counts.set_aside, "set aside"))
    parts = [f"{number} {what}" for number, what in (*named, (counts.conflicts, "in conflict")) if number]
    return ", ".join([f"{count(counts.received, 'file')} received", *parts]) + "."
