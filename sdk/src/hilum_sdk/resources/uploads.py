"""Uploads: start, send, seal, wait."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hilum_sdk.bodies import Advance, FileBody, LocalFile, sha256_of
from hilum_sdk.drivers import Driver
from hilum_sdk.errors import UploadFailedError, UploadHeldError, UploadPartlyError, WaitTimeoutError
from hilum_sdk.folder_upload import Sender, require_digest
from hilum_sdk.folders import Selection, select_files
from hilum_sdk.models import Offer, Upload, UploadedFile
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.progress import Show, Tally, shower
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds between two looks at an upload that is waited for

BEFORE_IMPORTED = frozenset({"Uploading", "Importing"})

#: Outcomes that are raised; `succeeded` is returned.
ERROR_OF_OUTCOME: Mapping[str, type[UploadFailedError | UploadHeldError]] = {
    "failed": UploadFailedError,
    "partly": UploadPartlyError,
    "held": UploadHeldError,
}


class Uploads(Resource[D]):
    """`/uploads`: how images come in over HTTP."""

    @Operation
    async def start(
        self,
        project: str,
        *,
        report_type: str | None = None,
        dataset: str | None = None,
        force_reprocessing: bool = False,
        metadata: Mapping[str, Any] | None = None,
        expected_counts: Mapping[str, int] | None = None,
    ) -> Upload:
        """Start an upload; an unknown report type or project is said here, before any byte is sent.

        Args:
            report_type: the template that shall process the studies; without one the templates' rules choose.
            dataset: a label for the studies.
            force_reprocessing: process studies again that the project holds with the same images.
            metadata: kept with the upload as it is.
            expected_counts: UID of a study or series -> how many instances it has, so that the first and last slice can be missed.
        """
        if expected_counts is not None:
            metadata = {**(metadata or {}), "expected_counts": dict(expected_counts)}
        body = {"project": project, "report_type": report_type, "dataset": dataset, "metadata": metadata}
        given = {key: value for key, value in body.items() if value is not None}
        return await self._session.fetch(
            Upload, "POST", "/uploads", json=given | ({"force_reprocessing": True} if force_reprocessing else {})
        )

    @Operation
    async def offer(self, upload_id: str, files: Sequence[LocalFile | UploadedFile]) -> Offer:
        """Tell the server which files there are (name, size, sha256); the answer names those that it wants sent."""
        offered = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files]
        return await self._session.fetch(Offer, "POST", path_of("uploads", upload_id, "offer"), json={"files": offered})

    @Operation
    async def put_file(self, upload_id: str, name: str, source: str | os.PathLike[str] | bytes) -> UploadedFile:
        """Send one file, from a path (streamed) or from bytes, under a relative name of ours.

        Raises:
            InvalidError: the bytes were damaged on the way; nothing was kept.
            DigestMismatchError: the server kept other bytes.
        """
        if isinstance(source, bytes):
            sha256 = hashlib.sha256(source).hexdigest()
            kept = await self._session.fetch(UploadedFile, "PUT", _file_path(upload_id, name), body=source, sha256=sha256)
        else:
            file = await self._session.driver.compute(partial(_local_file, name, Path(source)))
            sha256, kept = file.sha256, await self._put(upload_id, file)
        require_digest(name, sha256, kept.sha256)
        return kept

    @Operation
    async def complete(self, upload_id: str, expected_files: int | None = None, expected_counts: Mapping[str, int] | None = None) -> Upload:
        """Seal the upload: no file comes any more, importing starts.

        Args:
            expected_counts: as for `start`; adds to what was said there.

        Raises:
            ConflictError: `expected_files` is given, and the server has another number of files.
        """
        body: dict[str, Any] = {} if expected_files is None else {"expected_files": expected_files}
        if expected_counts is not None:
            body["expected_counts"] = dict(expected_counts)
        return await self._session.fetch(Upload, "POST", path_of("uploads", upload_id, "complete"), json=body)

    @Operation
    async def get(self, upload_id: str) -> Upload:
        """Where an upload stands."""
        return await self._session.fetch(Upload, "GET", path_of("uploads", upload_id))

    @Listing
    def files(self, upload_id: str) -> Query[UploadedFile]:
        """The files that the server has of an upload, with their digests."""
        return Query(UploadedFile, path_of("uploads", upload_id, "files"))

    @Operation
    async def wait(self, upload_id: str, timeout: float = 600.0) -> Upload:
        """Wait until an upload has succeeded.

        Args:
            timeout: seconds, a finite number.

        Raises:
            UploadFailedError: it failed; UploadPartlyError, a kind of it, where some results were delivered nevertheless.
            UploadHeldError: a person must look at it; it can be waited for again when it is released.
            WaitTimeoutError: the time ran out.
        """
        upload = await self._watch(upload_id, timeout, lambda upload: upload.outcome is not None)
        if upload.outcome is not None and upload.outcome != "succeeded":
            raise ERROR_OF_OUTCOME[upload.outcome](upload.sentences, upload)
        return upload

    @Operation
    async def wait_imported(self, upload_id: str, timeout: float = 600.0) -> Upload:
        """Wait until an upload is imported: what it brought is known then, and what of it could not be used.

        Args:
            timeout: seconds, a finite number.

        Raises:
            UploadFailedError: nothing of it could be used. WaitTimeoutError: the time ran out.
        """
        upload = await self._watch(upload_id, timeout, lambda upload: upload.outcome is not None or upload.step not in BEFORE_IMPORTED)
        if upload.outcome == "failed":
            raise UploadFailedError(upload.sentences, upload)
        return upload

    async def _watch(self, upload_id: str, timeout: float, is_over: Callable[[Upload], bool]) -> Upload:
        """Look at an upload, more and more seldom, until it is where it was waited for."""
        if not (math.isfinite(timeout) and timeout >= 0):
            raise ValueError(f"timeout is {timeout!r}: a wait needs a finite number of seconds.")
        deadline, pause = time.monotonic() + timeout, FIRST_PAUSE
        while True:
            upload = await self._session.fetch(Upload, "GET", path_of("uploads", upload_id), deadline=deadline)
            if is_over(upload):
                return upload
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(upload, timeout)
            await self._session.driver.sleep(min(pause, left))
            pause = min(LONGEST_PAUSE, pause * 1.5)

    @Operation
    async def upload_folder(
        self,
        folder: str | os.PathLike[str],
        project: str,
        report_type: str | None = None,
        dataset: str | None = None,
        force_reprocessing: bool = False,
        metadata: Mapping[str, Any] | None = None,
        *,
        expected_counts: Mapping[str, int] | None = None,
        concurrency: int = 8,
        progress: bool | Show = True,
        resume: str | None = None,
        on_start: Callable[[Upload], object] | None = None,
    ) -> Upload:
        """Send a folder with everything below it and seal the upload.

        Only what the project does not hold is sent; a second call after an interruption sends only the rest. Hidden files and
        links to outside are not sent: the answer's `skipped` names them. Names at the server are relative to the folder.

        Args:
            project, report_type, dataset, force_reprocessing, metadata, expected_counts: as for `start`.
            concurrency: files in the air at a time.
            progress: True for a bar on a terminal and lines elsewhere, a function that takes a `Progress`, or False. The function
                is called from the threads that send, one call at a time.
            resume: the id of an upload that was interrupted, to go on with that one.
            on_start: called with the upload before its first byte is sent, so that its id is known whatever comes.

        Raises:
            NothingToUploadError, UnreadableFilesError: before anything was started at the server.
            FileChangedError: a file changed meanwhile. The upload stays open, the note on this and on other errors names its id.
        """
        selection = await self._session.driver.compute(partial(select_files, folder))
        if resume:
            upload = await Uploads.get.steps(self, resume)
        else:
            upload = await Uploads.start.steps(
                self, project, report_type=report_type, dataset=dataset, force_reprocessing=force_reprocessing, metadata=metadata
            )
        if on_start is not None:
            on_start(upload)
        if upload.step == "Uploading":
            try:
                upload = await self._fill(upload.id, selection, concurrency, shower(progress), bool(resume), expected_counts)
            except BaseException as error:
                error.add_note(f"The upload {upload.id} is still open: upload_folder(..., resume={upload.id!r}) goes on with it.")
                raise
        return upload.model_copy(update={"skipped": selection.skipped})

    @Operation
    async def upload_zip(
        self,
        path: str | os.PathLike[str],
        project: str,
        report_type: str | None = None,
        dataset: str | None = None,
        force_reprocessing: bool = False,
        *,
        progress: bool | Show = True,
    ) -> Upload:
        """Send a zip as one sealed upload, streamed from disk: all of it is taken or nothing."""
        file = await self._session.driver.compute(partial(_local_file, Path(path).name, Path(path)))
        tally = Tally(1, file.size, shower(progress))
        upload = await self._session.fetch(
            Upload,
            "POST",
            "/uploads/archive",
            query={"project": project, "report_type": report_type, "dataset": dataset, "force_reprocessing": force_reprocessing or None},
            body=FileBody(file, tally.add_bytes),
            sha256=file.sha256,
            content_type="application/zip",
        )
        tally.add_file()
        return upload

    async def _fill(
        self,
        upload_id: str,
        selection: Selection,
        concurrency: int,
        show: Show,
        resumed: bool,
        expected_counts: Mapping[str, int] | None,
    ) -> Upload:
        """Send what the server lacks of a selection, and seal the upload."""
        there = {(file.name, file.sha256) for file in await Uploads.files.steps(self, upload_id)} if resumed else set()
        sender = Sender(
            self._session.driver,
            offer=partial(Uploads.offer.steps, self, upload_id),
            put=partial(self._put, upload_id),
            tally=Tally(len(selection.files), sum(file.size for file in selection.files), show),
            concurrency=concurrency,
        )
        await sender.send(selection.files, there)
        return await Uploads.complete.steps(self, upload_id, len(selection.files), expected_counts)

    async def _put(self, upload_id: str, file: LocalFile, advance: Advance | None = None) -> UploadedFile:
        body = FileBody(file, advance)
        return await self._session.fetch(UploadedFile, "PUT", _file_path(upload_id, file.name), body=body, sha256=file.sha256)


def _local_file(name: str, path: Path) -> LocalFile:
    return LocalFile(name, path, path.stat().st_size, sha256_of(path))


def _file_path(upload_id: str, name: str) -> str:
    """The path of a file of an upload; a name that an HTTP client or proxy would change on the way is refused."""
    if not name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise ValueError(f"{name!r} is no relative name of a file.")
    return path_of("uploads", upload_id, "files", name=name)
