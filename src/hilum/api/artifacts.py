"""Artifacts: the files that processing made, and downloads of anything in the vault."""

import base64
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from hilum.api.calling import Call, Reader
from hilum.api.routing import make_router
from hilum.model.errors import NotFoundError
from hilum.model.identity import Right, Scope
from hilum.model.lifecycle import Status
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Workitem

router = make_router("artifacts")


@router.get("/artifacts/{artifact_id}/content", response_class=Response)
def download_artifact(call: Reader, request: Request, artifact_id: str) -> Response:
    """A result, streamed, with its digest."""
    artifact = call.app.catalogue.find_artifact(call.scope, artifact_id)
    if not may_see_results(call.scope, call.app.catalogue.find_workitem(call.scope, artifact.workitem_id)):
        raise NotFoundError(f"There is no artifact {artifact_id}.", "It is listed when it is delivered.")
    return stream_stored(call, request, artifact.stored, artifact.name, artifact.media_type)


def may_see_results(scope: Scope, workitem: Workitem) -> bool:
    """Delivered results are for everybody who reads; before, for those who judge them or look after them."""
    is_delivered = workitem.item.status is Status.FINISHED
    return is_delivered or any(scope.holds(right, workitem.project) for right in (Right.REVIEW, Right.OPERATE))


def disposition_of(name: str) -> str:
    """A download under its name: in full for all who know RFC 8187, and in plain ASCII for those who do not (RFC 6266 4.3, appendix D)."""
    plain = "".join(character if " " <= character <= "~" and character not in '"\\%' else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def stream_stored(call: Call, request: Request, stored: StoredBytes, name: str, media_type: str) -> Response:
    """Bytes of the vault as a download, never shown by a browser: what is in them is a sender's.

    The connection breaks off where the vault finds them damaged, so that no damaged file is ever whole.
    """
    headers = {
        "etag": f'"{stored.sha256.hex()}"',
        "repr-digest": f"sha-256=:{base64.b64encode(stored.sha256).decode()}:",  # RFC 9530 3
        "content-disposition": disposition_of(name),
        "content-security-policy": "sandbox; default-src 'none'",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(None, 304, headers)
    chunks = call.app.vault.stream(stored)
    first = next(chunks, b"")  # what cannot be read at all is a problem document, not a broken download
    body: Iterator[bytes] = chain((first,), chunks)
    return StreamingResponse(body, 200, headers | {"content-length": str(stored.size)}, media_type)
