"""Uploads: start, offer, complete, look. Files and archives come in by upload_files.py."""

from typing import Annotated, Any, cast

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.bodies import check_storable
from hilum.api.calling import Reader, Sender
from hilum.api.deliveries import Deliveries
from hilum.api.lanes import CHANGING, READING
from hilum.api.paging import Cursor, Listed, decode_cursor, listed
from hilum.api.progress import UploadShape, shape_upload
from hilum.api.routing import make_router
from hilum.api.shapes import shape_name
from hilum.api.upload_files import check_asked
from hilum.doors.upload_judging import check_name
from hilum.doors.uploads import DOOR
from hilum.stores.intakes import NewIntake
from hilum.stores.offering import SentFile

router = make_router("uploads")


class NewUpload(BaseModel):
    model_config = ConfigDict(extra="forbid")

    project: str
    report_type: str | None = Field(None, description="the template that shall process the studies; without one the rules choose")
    dataset: str | None = Field(None, max_length=64, description="a label for the studies")
    force_reprocessing: bool = False
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="kept with the upload; its `expected_counts` are checked",
    )


class FileShape(BaseModel):
    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$")


class Offer(BaseModel):
    files: list[FileShape] = Field(max_length=100_000)


class Wanted(BaseModel):
    """Names of the files that must be sent; the others are held already."""

    wanted: list[str]


class Completion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expected_files: int | None = Field(None, ge=0)
    expected_counts: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, max_length=10_000, description="UID of a study or series -> how many instances it has at the sender's"
    )


@router.post("/uploads", status_code=201)
def start_upload(call: Sender, asked: NewUpload) -> UploadShape:
    """Start; an unknown project (404) or report type (422) is said here, before any byte is sent."""
    check_storable(asked.metadata)
    new = NewIntake(asked.project, DOOR, asked.report_type or "", asked.dataset or "", asked.force_reprocessing, asked.metadata)
    check_asked(call.app, call.caller, new)
    intake = call.app.intakes.start(call.scope, new)
    return shape_upload(call.app, call.scope, intake.id)


@router.get("/uploads/{upload_id}")
def find_upload(call: Reader, upload_id: str) -> UploadShape:
    """Where an upload stands."""
    return shape_upload(call.app, call.scope, upload_id)


@router.get("/uploads/{upload_id}/files", response_model=Listed[FileShape])
def list_files(call: Reader, upload_id: str, cursor: Cursor = "", limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> Any:
    """What the upload has, by name, with digests; who may not see identities gets the beginning of a digest for a name."""
    if not call.scope.may_see_identity:
        return _list_nameless(call, upload_id, int(decode_cursor(cursor, int) or 0), limit)
    found = call.app.intakes.list_files(call.scope, upload_id, decode_cursor(cursor, str), limit + 1)
    return listed(found, limit, _shape_file, lambda file: file.name)


@router.post("/uploads/{upload_id}/offer")
async def offer_files(call: Sender, request: Request, upload_id: str, offer: Offer) -> Wanted:
    """Which of these files are wanted; the others are held in this project and count as sent."""
    for file in offer.files:
        check_name(file.name, call.app.settings.file_name_bytes)
    files = [SentFile(file.name, file.size, bytes.fromhex(file.sha256)) for file in offer.files]
    wanted = await CHANGING.run(call.app.intakes.offer, call.scope, upload_id, files)
    _deliveries(request).forget(upload_id)
    return Wanted(wanted=wanted)


@router.post("/uploads/{upload_id}/complete", status_code=202)
async def complete_upload(call: Sender, request: Request, upload_id: str, completion: Completion | None = None) -> UploadShape:
    """Seal: no file comes any more, importing begins. 409 with the missing count when `expected_files` differs."""
    said = completion or Completion(expected_files=None)
    await READING.run(call.app.intakes.find, call.scope, upload_id)
    async with _deliveries(request).sealing(upload_id):
        await CHANGING.run(call.app.intakes.complete, call.scope, upload_id, said.expected_files, said.expected_counts)
    return await READING.run(shape_upload, call.app, call.scope, upload_id)


def _deliveries(request: Request) -> Deliveries:
    return cast(Deliveries, request.app.state.intake.deliveries)


def _list_nameless(call: Reader, upload_id: str, skipped: int, limit: int) -> dict[str, Any]:
    """The same files in the same order; a cursor that held a name would tell it."""
    found = call.app.intakes.list_files(call.scope, upload_id, "", skipped + limit + 1)[skipped:]
    page = listed(found, limit, _shape_file, lambda _: str(skipped + limit))
    named = [shape_name(call.scope, file.name, file.sha256) for file in found[:limit]]
    return page | {"items": [item | {"name": name} for item, name in zip(page["items"], named, strict=True)]}


def _shape_file(file: SentFile) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "sha256": file.sha256.hex()}
