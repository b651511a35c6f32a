"""hilum process: from a folder of images to a folder of results."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, Json, connect, existing
from hilum.cli.telling import note, print_json, printable, say
from hilum.cli.upload import Dataset, Sending, Source, send
from hilum.model.errors import InvalidError

if TYPE_CHECKING:
    from hilum_sdk import Hilum, HilumError
    from hilum_sdk.models import Upload

ReportType = Annotated[str, typer.Option("--report-type", help="What is to be made of them: nifti, image_quality, brain_ms, ...")]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Where the results go; made where it is missing.")]
Project = Annotated[str, typer.Option("--project", help="Whose images they are.")]
Server = Annotated[str | None, typer.Option("--server", envvar="HILUM_SERVER", help="Address of a server; else a private one is started.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data directory: of the private server, which is then kept, or with the token.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the results.")]


def run(
    source: Source,
    report_type: ReportType,
    out: Out,
    project: Project = "admin",
    dataset: Dataset = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = 3600.0,
    json: Json = False,
) -> None:
    """Upload a folder or a zip, wait, download the results; without --server in a private server that ends with the command."""
    sending = Sending(source, project, report_type, dataset)
    refuse_what_cannot_work(sending, out)
    with _at_server(server, data) if server is not None else _at_private_server(data, sending) as hilum:
        sent = send(hilum, sending)
        upload, trouble = _wait(hilum, sent.id, timeout)
        paths = [result.download(out) for result in hilum.results.for_upload(upload.id)]
    if json:
        print_json({"upload": upload.model_dump(mode="json"), "results": [str(path) for path in paths]})
    else:
        _tell(upload, paths, is_good=trouble is None)
    if trouble is not None:
        if server is None and data is None:
            note("The private server is gone with all it held; with --data DIR it is kept, and `hilum serve --data DIR` shows its pages.")
        raise trouble


def refuse_what_cannot_work(sending: Sending, out: Path) -> None:
    """What can be known before a byte is sent is said before a server is asked, or started.

    Raises:
        HilumError: there is nothing to send, or results cannot be written.
    """
    import zipfile

    from hilum_sdk.folders import select_files

    place = existing(out)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise InvalidError(f"Results cannot be written to {out}: {place} is no folder that this user may write to.", "Name another --out.")
    if sending.source.is_dir():
        select_files(sending.source)
    elif not zipfile.is_zipfile(sending.source):
        raise InvalidError(f"{sending.source} is neither a folder nor a zip.", "Name the folder that holds the images.")


def _wait(hilum: "Hilum", upload_id: str, timeout: float) -> "tuple[Upload, HilumError | None]":
    """The upload at its end, and what stands in the way of a good one."""
    from hilum_sdk import UploadFailedError, UploadHeldError

    note("processing ...")
    try:
        return hilum.uploads.wait(upload_id, timeout=timeout), None
    except (UploadFailedError, UploadHeldError) as error:
        return error.upload, error


def _tell(upload: "Upload", paths: list[Path], *, is_good: bool) -> None:
    for sentence in upload.sentences if is_good else ():  # else they are the error that follows
        note(sentence)
    for path in paths:
        say(printable(str(path)))


# --- the server --------------------------------------------------------------------------------------------------------------


@contextmanager
def _at_server(server: str, data: Path | None) -> "Iterator[Hilum]":
    with connect(server, data or DEFAULT_DATA, retry_for=60.0) as hilum:
        yield hilum


@contextmanager
def _at_private_server(data: Path | None, sending: Sending) -> "Iterator[Hilum]":
    """A client of a server that ends with it."""
    from hilum.runtime.private_server import PrivateServer
    from hilum_sdk import Hilum

    _refuse_unknown_names(sending, data)
    with _data_directory(data) as place:
        note("starting a private server ...")
        with PrivateServer(place) as private, Hilum(private.url, token=private.token) as hilum:
            if sending.project not in {known.name for known in hilum.projects.list()}:
                hilum.projects.create(sending.project, ae_title=sending.project[:16])
            yield hilum


def _refuse_unknown_names(sending: Sending, data: Path | None) -> None:
    """A new server knows the shipped report types only; one that has a ledger is asked."""
    from hilum.model.templates import NAME_PATTERN
    from hilum.runtime.assembling import shipped_templates

    if re.fullmatch(NAME_PATTERN, sending.project) is None:
        raise InvalidError(f"{sending.project!r} cannot be a project's name.", "It has 1 to 64 letters, digits, underscores and hyphens.")
    known = [template.name for template in shipped_templates()]
    is_new = data is None or not (data / "ledger.sqlite").exists()
    if is_new and sending.report_type not in known:
        raise InvalidError(f"There is no report type {sending.report_type!r}.", f"Choose one of {', '.join(known)}.")


@contextmanager
def _data_directory(data: Path | None) -> Iterator[Path]:
    """The directory that was named; else one that is removed at the end, however that comes: it holds copies of images."""
    if data is not None:
        yield data
        return
    place = Path(tempfile.mkdtemp(prefix="hilum-process-"))
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield place
    finally:
        shutil.rmtree(place)
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
