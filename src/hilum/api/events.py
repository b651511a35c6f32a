"""Every move as it happens, as server-sent events (HTML Living Standard 9.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import Response, StreamingResponse

from hilum.api.calling import Call, Reader, still_known
from hilum.api.lanes import READING
from hilum.api.problems import BusyError, UnauthenticatedError
from hilum.api.routing import make_router
from hilum.api.shapes import shape_move
from hilum.model.records import Move
from hilum.stores.following import Cursor
from hilum.stores.ledger import MoveFilter

router = make_router("operating")

LOOK_SECONDS = 1.0
MOST_LISTENERS = 64
SILENCE_SECONDS = 15  # a comment so often keeps proxies from closing a quiet connection
TRUST_SECONDS = 15  # so long a listener goes on hearing after its credential was withdrawn
_listeners = asyncio.Semaphore(MOST_LISTENERS)


@router.get("/events", response_class=Response)
async def listen(call: Reader, request: Request, project: str = "", last_event_id: Annotated[str, Header()] = "") -> Response:
    """`event: move` with a row of the log; begins with what happens from now on, or after `Last-Event-ID`."""
    if _listeners.locked():
        raise BusyError("Too many programs listen already.", "Ask GET /log instead.")
    wanted = MoveFilter(project=project)
    cursor = Cursor.parse(last_event_id)
    if cursor is None:
        cursor = await READING.run(call.app.ledger.listen)
    return StreamingResponse(_follow(call, request, wanted, cursor), media_type="text/event-stream")


async def _follow(call: Call, request: Request, wanted: MoveFilter, cursor: Cursor) -> AsyncIterator[str]:
    async with _listeners:
        silent = trusted = 0.0
        yield ": listening\n\n"
        while not (request.app.state.is_stopping or await request.is_disconnected()):
            if trusted >= TRUST_SECONDS:
                trusted = 0.0
                try:
                    call = await still_known(request, call)
                except UnauthenticatedError:
                    return
            moves = await _moves_after(call, wanted, cursor)
            for behind, move in moves:
                cursor = behind
                yield f"id: {cursor}\nevent: move\ndata: {json.dumps(shape_move(move).model_dump(mode='json'))}\n\n"
            silent = 0.0 if moves else silent + LOOK_SECONDS
            if silent >= SILENCE_SECONDS:
                silent = 0.0
                yield ": nothing\n\n"
            await asyncio.sleep(LOOK_SECONDS)
            trusted += LOOK_SECONDS


async def _moves_after(call: Call, wanted: MoveFilter, cursor: Cursor) -> list[tuple[Cursor, Move]]:
    return await READING.run(lambda: call.app.ledger.follow(call.scope, wanted, cursor))
