"""hilum process: from a folder of images to a folder of results."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import Json, connect
from hilum.cli.telling import note, print_json, printable, say
from hilum.cli.upload import Dataset

if TYPE_CHECKING:
    from hilum_sdk import Hilum
    from hilum_sdk.models import Upload

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The images, in any order and depth.")]
ReportType = Annotated[str, typer.Option("--report-type", help="What is to be made of them: nifti, image_quality, brain_ms, ...")]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Where the results go; made where it is missing.")]
Project = Annotated[str, typer.Option("--project", help="Whose images they are.")]
Server = Annotated[str | None, typer.Option("--server", envvar="HILUM_SERVER", help="Address of a server; else a private one is started.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data directory: of the private server, which is then kept, or with the token.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the results.")]


def run(
    folder: Folder,
    report_type: ReportType,
    out: Out,
    project: Project = "admin",
    dataset: Dataset = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = 3600.0,
    json: Json = False,
) -> None:
    """Upload a folder, wait, download the results; without --server in a private server that ends with the command."""
    with _at(server, data, project) as hilum:
        sent = hilum.uploads.upload_folder(folder, project, report_type, dataset)
        for file in sent.skipped:
            note(f"skipped {file.name}: {file.reason}")
        upload = _wait(hilum, sent.id, out, timeout)
        paths = _download(hilum, upload.id, out)
    if json:
        print_json({"upload": upload.model_dump(mode="json"), "results": [str(path) for path in paths]})
    else:
        _tell(upload, paths)


def _wait(hilum: "Hilum", upload_id: str, out: Path, timeout: float) -> "Upload":
    """Wait for the end; what came of an upload that succeeded only in part is downloaded before that is said."""
    from hilum_sdk import UploadPartlyError

    note("processing ...")
    try:
        return hilum.uploads.wait(upload_id, timeout=timeout)
    except UploadPartlyError:
        _download(hilum, upload_id, out)
        raise


def _download(hilum: "Hilum", upload_id: str, out: Path) -> list[Path]:
    return [result.download(out) for result in hilum.results.for_upload(upload_id)]


def _tell(upload: "Upload", paths: list[Path]) -> None:
    for sentence in upload.sentences:
        note(sentence)
    for path in paths:
        say(printable(str(path)))


@contextmanager
def _at(server: str | None, data: Path | None, project: str) -> "Iterator[Hilum]":
    """A client of the server that was named, or of a private one."""
    if server is not None:
        from hilum.cli.connecting import DEFAULT_DATA

        with connect(server, data or DEFAULT_DATA, retry_for=60.0) as hilum:
            yield hilum
        return
    from hilum.runtime.private_server import PrivateServer
    from hilum_sdk import Hilum

    with _data_directory(data) as place:
        note("starting a private server ...")
        with PrivateServer(place) as private, Hilum(private.url, token=private.token) as hilum:
            if project not in {known.name for known in hilum.projects.list()}:
                hilum.projects.create(project, ae_title=project[:16])
            yield hilum


@contextmanager
def _data_directory(data: Path | None) -> Iterator[Path]:
    """The directory that was named; else one that is removed at the end, unless the work failed: then it holds why."""
    if data is not None:
        yield data
        return
    place = Path(tempfile.mkdtemp(prefix="hilum-process-"))
    try:
        yield place
    except BaseException:  # Ctrl-C too
        note(f"Everything is kept: `hilum serve --data {place}` shows where it stands.")
        raise
    shutil.rmtree(place)
