"""Results: the delivered artifacts of an upload or a study, and their download."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

from hilum_sdk.downloads import PartialFile, held_path
from hilum_sdk.drivers import Driver
from hilum_sdk.models import Artifact, Study, Workitem
from hilum_sdk.operations import Operation, Resource
from hilum_sdk.resources.uploads import Uploads
from hilum_sdk.resources.workitems import Workitems
from hilum_sdk.session import Session, path_of

D = TypeVar("D", bound=Driver)


class Result(Resource[D]):
    """One file of a delivered workitem."""

    def __init__(self, session: Session[D], artifact: Artifact, workitem: Workitem) -> None:
        super().__init__(session)
        self.artifact = artifact
        self.workitem = workitem

    def __repr__(self) -> str:
        return f"<Result {self.name} of workitem {self.workitem.id}>"

    @property
    def name(self) -> str:
        """The file's name as the server gives it; `download` makes it safe."""
        return self.artifact.name

    @Operation
    async def download(self, folder: str | os.PathLike[str] = ".") -> Path:
        """Fetch the file into a folder, which is made where it is missing; answers with the file's path.

        The file is streamed, its SHA-256 is checked, and it gets its name only when it is whole and on the disk. Nothing is
        overwritten: beside another file of its name it gets its identifier as well. What is there already is not fetched again.

        Raises:
            DigestMismatchError: what arrived is not what the server holds; nothing is kept.
        """
        target = Path(folder)
        if held := await self._session.driver.compute(partial(held_path, target, self.artifact)):
            return held
        with PartialFile(target, self.artifact) as partial_file:
            await self._session.fetch_bytes(path_of("artifacts", self.artifact.id, "content"), partial_file.start_over)
            return await self._session.driver.compute(partial_file.place)


class Results(Resource[D]):
    """What processing made, as far as it is delivered."""

    @Operation
    async def for_upload(self, upload_id: str) -> list[Result[D]]:
        """The results that an upload asked for: of its report type, or of the templates that the rules chose for its studies."""
        upload = await Uploads.get.steps(self, upload_id)
        return [result for study in upload.studies for result in await self._of(study.id, _answering(study))]

    @Operation
    async def for_study(self, study_id: str) -> list[Result[D]]:
        """The results of a study, without those that newer ones supersede."""
        return await self._of(study_id)

    async def _of(self, study_id: str, among: Container[str] | None = None) -> list[Result[D]]:
        """The delivered results of a study's workitems, or of those `among` them."""
        workitems = [one for one in await Workitems.list.steps(self, study=study_id) if among is None or one.id in among]
        return [
            Result(self._session, artifact, workitem)
            for workitem in delivered(workitems)
            for artifact in await Workitems.artifacts.steps(self, workitem.id)
        ]


def _answering(study: Study) -> Container[str] | None:
    """The ids of the workitems that answer the upload within which a study was told; None where the server does not say."""
    return {str(one["id"]) for one in study.workitems} if "workitems" in study.model_fields_set else None


def delivered(workitems: Iterable[Workitem]) -> list[Workitem]:
    """The workitems that came to their end, without those that such a one supersedes."""
    finished = [workitem for workitem in workitems if workitem.status == "finished"]
    superseded = {workitem.supersedes for workitem in finished}
    return [workitem for workitem in finished if workitem.id not in superseded]
