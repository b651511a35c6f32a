"""Routes that know the right they need, and that make a change once however often it is asked for."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast
from weakref import WeakValueDictionary

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from hilum.api.bodies import Body, Memory, announced_size, check_announced, check_json
from hilum.api.calling import Caller, Needs, caller_of
from hilum.api.lanes import CHANGING, READING, Lane, in_lane
from hilum.model.identity import Right
from hilum.runtime.assembling import Application
from hilum.stores.replies import Reply

PREFIX = "/api/v1"
MOST_JSON_BYTES = 16 << 20  # an offer of 100,000 files
SEND_LESS = "Send it in several calls."

CHANGING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class HilumRoute(APIRoute):
    """A route of the API; what reads and what changes wait in lanes of their own."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, in_lane(self.lane_of(set(options.get("methods") or ())), endpoint), **options)

    @staticmethod
    def lane_of(methods: set[str]) -> Lane:
        """Where requests of these methods wait."""
        return CHANGING if CHANGING_METHODS & methods else READING

    @property
    def right(self) -> Right | None:
        """What a caller needs; None: anybody may ask."""
        found = [one.call.right for one in self.dependant.dependencies if isinstance(one.call, Needs)]
        return found[0] if found else None

    def get_route_handler(self) -> Handler:
        """Changes are made once for each Idempotency-Key."""
        handle = super().get_route_handler()
        return _Change(handle) if CHANGING_METHODS & set(self.methods or ()) else handle


class UnrepeatedRoute(HilumRoute):
    """A change whose reply or request holds a secret: nothing of it is kept, so asking twice makes it twice."""

    def get_route_handler(self) -> Handler:
        return _Change(APIRoute.get_route_handler(self), keeps_replies=False)


class SearchRoute(UnrepeatedRoute):
    """A question that is asked with a body: it changes nothing, waits for no change, and no reply is kept."""

    @staticmethod
    def lane_of(_methods: set[str]) -> Lane:
        """That of questions."""
        return READING


def make_router(noun: str) -> APIRouter:
    """A router of one noun's routes."""
    return APIRouter(prefix=PREFIX, tags=[noun], route_class=HilumRoute)


class Turns:
    """Of the requests that come with one caller's Idempotency-Key, one is answered at a time."""

    def __init__(self) -> None:
        self._running: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, who: str, key: str) -> asyncio.Lock:
        """To be held while the request is answered."""
        return self._running.setdefault((who, key), asyncio.Lock())


class _Change:
    """Answers what was asked before with the reply of then; what failed may be tried again."""

    def __init__(self, handle: Handler, *, keeps_replies: bool = True) -> None:
        self._handle = handle
        self._keeps_replies = keeps_replies

    async def __call__(self, request: Request) -> Response:
        caller = await caller_of(request)  # first of all: nobody's body takes memory
        check_announced(request.headers, MOST_JSON_BYTES, SEND_LESS)
        async with cast(Memory, request.app.state.json_memory).reserved(_expected_bytes(request)):
            return await self._answer(request, caller)

    async def _answer(self, request: Request, caller: Caller) -> Response:
        stream = Body(request.receive, MOST_JSON_BYTES, announced_size(request.headers), mend=SEND_LESS)
        request.scope["hilum.body"] = stream
        body = await stream.read(MOST_JSON_BYTES + 1)
        check_json(body)
        again = Request(request.scope, _received(body, request))
        key = request.headers.get("idempotency-key")
        if key is None or not self._keeps_replies:
            return await self._handle(again)
        async with cast(Turns, request.app.state.turns).of(caller.key, key):
            return await self._once(again, caller.key, key, digest_request(request, body))

    async def _once(self, request: Request, who: str, key: str, digest: bytes) -> Response:
        replies = cast(Application, request.app.state.application).replies
        known = await READING.run(replies.find, who, key, digest)
        if known is not None:
            return reply_again(known)
        response = await self._handle(request)
        if response.status_code < 300:
            reply = Reply(response.status_code, bytes(response.body).decode())
            await CHANGING.run(partial(replies.keep, is_of_deletion=request.method == "DELETE"), who, key, digest, reply)
        return response


def digest_request(request: Request, body: bytes) -> bytes:
    """What makes two requests the same: method, path, query and body (or what announces it)."""
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.url.path.encode(), request.url.query.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def reply_again(reply: Reply) -> Response:
    """A reply as it was given the first time."""
    return Response(reply.body, reply.status, {"idempotency-replayed": "true"}, "application/json")


def _expected_bytes(request: Request) -> int:
    """Of the body, at most. RFC 9112 6.3: a request without Content-Length and Transfer-Encoding has none."""
    announced = announced_size(request.headers)
    if announced is not None:
        return announced
    return MOST_JSON_BYTES if "transfer-encoding" in request.headers else 0


def _received(body: bytes, request: Request) -> Callable[[], Coroutine[Any, Any, Message]]:
    """A `receive` that gives a body which was read already, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return receive
