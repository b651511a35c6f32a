"""What senders gave and we cannot use: listed with the reason, downloadable, deletable."""

from functools import partial
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from hilum.api.artifacts import stream_stored
from hilum.api.calling import Administrator, Reader
from hilum.api.paging import Cursor, Limit, Listed, listed, page_by_key
from hilum.api.routing import make_router
from hilum.api.shapes import SetAsideShape, shape_set_aside
from hilum.model.errors import ForbiddenError

router = make_router("set-aside")


@router.get("/set-aside", response_model=Listed[SetAsideShape])
def list_set_aside(call: Reader, project: str = "", cursor: Cursor = "", limit: Limit = 100) -> Any:
    """In the order it came."""
    found = call.app.catalogue.list_set_aside(call.scope, page_by_key(cursor, limit), project)
    return listed(found, limit, partial(shape_set_aside, call.scope), lambda member: str(member.key))


@router.get("/set-aside/{set_aside_id}/content", response_class=Response)
def download_set_aside(call: Reader, request: Request, set_aside_id: int) -> Response:
    """The bytes as they came, for those who may see identities: nothing is known about what is in them."""
    member = call.app.catalogue.find_set_aside(call.scope, set_aside_id)
    if not call.scope.may_see_identity:
        raise ForbiddenError("This needs the right to see identities.", "Ask somebody who may see them.")
    name = PurePosixPath(member.file_name).name or "file"
    return stream_stored(call, request, member.stored, name, "application/octet-stream")


@router.delete("/set-aside/{set_aside_id}", status_code=204)
def delete_set_aside(call: Administrator, set_aside_id: int) -> None:
    """Delete it for good; its bytes are erased from its pack right after."""
    call.app.eraser.delete_set_aside(call.scope, set_aside_id)
