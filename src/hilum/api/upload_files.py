"""The path that images come in by: PUT /uploads/{id}/files/{name} and POST /uploads/archive.

Written on plain ASGI: a thousand files a second leave no time for more. A small body is gathered and kept with one call; a large one is
written piece by piece while the next piece arrives. All that waits for the disk runs in threads, so that many share one sync.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from hilum.api.batches import Batches
from hilum.api.bodies import Body, Memory, announced_sha256, announced_size, check_announced
from hilum.api.calling import Caller, caller_of, refuse_without
from hilum.api.deliveries import Deliveries, OpenUpload
from hilum.api.metrics import Metrics
from hilum.api.progress import shape_upload
from hilum.api.routing import PREFIX, Turns, digest_request, reply_again
from hilum.doors.upload_contract import Delivery, ReceivedFile, Receiving, WholeBody
from hilum.doors.upload_judging import check_dataset, check_name, is_archive
from hilum.doors.uploads import DOOR, ReceivingAgain, UploadDoor
from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import Right
from hilum.runtime.assembling import Application
from hilum.stores.intakes import NewIntake
from hilum.stores.offering import SentFile
from hilum.stores.replies import Reply

PIECE = 1 << 20
DRAINED_BYTES = 16 << 20  # what is left of a refused body: more than this is not waited for, the connection is closed
ARCHIVE_NAME = "archive.zip"
_SEND_DIGEST = "Send `Content-Digest: sha-256=:<base64 of 32 bytes>:` (RFC 9530) with it."
Answer = Callable[[Request, Body], Awaitable[Response]]
R = TypeVar("R")


@dataclass(frozen=True)
class Intake:
    """What both routes work with.

    Args:
        threads: for streams and archives, which may wait for a free pack.
    """

    app: Application
    door: UploadDoor
    deliveries: Deliveries
    memory: Memory
    metrics: Metrics
    batches: Batches
    threads: ThreadPoolExecutor

    async def in_thread(self, work: Callable[..., R], *arguments: Any) -> R:
        """Run what may wait for the disk for long."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *arguments)


class UploadRoute(Route):
    """A route on plain ASGI that tells the right it needs, as the others do, and describes itself for OpenAPI."""

    right = Right.SEND

    def __init__(self, path: str, method: str, answer: Answer, most_bytes: int, described: dict[str, Any]) -> None:
        super().__init__(PREFIX + path, _Endpoint(answer, most_bytes), methods=[method])
        self._method = method.lower()
        self._described = described

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route; the one that fits is remembered for log and metrics."""
        match, child = super().matches(scope)
        return match, {**child, "route": self}

    def describe(self) -> dict[str, Any]:
        """Its part of `paths`."""
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        return {self._method: {"tags": ["uploads"], "requestBody": {"required": True, "content": content}, **self._described}}


class _Endpoint:
    """Calls `answer` with the request and its body."""

    def __init__(self, answer: Answer, most_bytes: int) -> None:
        self._answer = answer
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = Body(receive, self._most_bytes, announced_size(request.headers))
        scope["hilum.body"] = body
        check_announced(request.headers, self._most_bytes)
        response = await self._answer(request, body)
        await response(scope, receive, send)


class FileRoute:
    """PUT one file: an image, anything else, or a zip."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._settings = intake.app.settings

    def route(self) -> UploadRoute:
        return UploadRoute("/uploads/{upload_id}/files/{name:path}", "PUT", self.answer, self._settings.file_bytes, _PUT)

    async def answer(self, request: Request, body: Body) -> Response:
        """201 when the file is durable."""
        caller = await caller_of(request)
        refuse_without(caller.scope, Right.SEND)
        name = request.path_params["name"]
        upload = await self._intake.deliveries.find(caller.scope, request.path_params["upload_id"])
        check_name(name, self._settings.file_name_bytes)
        expected = announced_sha256(request.headers)
        if body.announced is not None and body.announced <= self._settings.buffer_bytes:
            file = await self._take_whole(caller, upload, _delivery(upload, request), name, body, expected)
        else:
            file = await self._take_stream(caller, upload, _delivery(upload, request), name, body, expected)
        upload.names[name] = file.sha256
        self._intake.metrics.observe_file(file.size)
        return _json({"name": name, "size": file.size, "sha256": file.sha256.hex()}, 201)

    async def _take_whole(
        self, caller: Caller, upload: OpenUpload, delivery: Delivery, name: str, body: Body, expected: bytes | None
    ) -> ReceivedFile:
        async with self._intake.memory.reserved(body.announced or 0):
            content = await body.read(self._settings.buffer_bytes + 1)
            with upload.storing():
                if name not in upload.names and not is_archive(content):
                    return await self._intake.batches.keep(WholeBody(delivery, name, content, expected))
                return await self._intake.in_thread(self._take_odd, caller, upload, delivery, name, content, expected)

    def _take_odd(
        self, caller: Caller, upload: OpenUpload, delivery: Delivery, name: str, content: bytes, expected: bytes | None
    ) -> ReceivedFile:
        """An archive, or a name that is taken."""
        receiving = self._begin(upload, delivery, name, content)
        receiving.write(content)
        return self._finish(caller, receiving, delivery, expected)

    async def _take_stream(
        self, caller: Caller, upload: OpenUpload, delivery: Delivery, name: str, body: Body, expected: bytes | None
    ) -> ReceivedFile:
        begin = partial(self._begin, upload, delivery, name)
        receiving = await write_through(self._intake, body, begin)
        try:
            with upload.storing():
                return await self._intake.in_thread(self._finish, caller, receiving, delivery, expected)
        except BaseException:
            await self._intake.in_thread(receiving.abandon)
            raise

    def _begin(self, upload: OpenUpload, delivery: Delivery, name: str, head: bytes) -> Receiving:
        held = upload.names.get(name)
        return ReceivingAgain(name, held) if held is not None else self._intake.door.receive(delivery, name, head)

    def _finish(self, caller: Caller, receiving: Receiving, delivery: Delivery, expected: bytes | None) -> ReceivedFile:
        file = receiving.check(expected)
        receiving.commit()
        if file.entries is not None:
            _record(self._intake.app, caller, delivery.intake_id, file)
        return file


class ArchiveRoute:
    """POST a zip as one whole upload: it exists only if all of the archive was good."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._app = intake.app

    def route(self) -> UploadRoute:
        return UploadRoute("/uploads/archive", "POST", self.answer, self._app.settings.file_bytes, _POST)

    async def answer(self, request: Request, body: Body) -> Response:
        """202 when all of it is durable and the upload is complete."""
        caller = await caller_of(request)
        refuse_without(caller.scope, Right.SEND)
        expected = announced_sha256(request.headers)
        key = request.headers.get("idempotency-key")
        if key is None:
            return _accepted(await self._take(caller, request, body, expected))
        if expected is None:
            raise InvalidError("An Idempotency-Key without a Content-Digest does not say which archive it is for.", _SEND_DIGEST)
        async with cast(Turns, request.app.state.turns).of(caller.key, key):
            # The body is not there yet: its announced digest stands for it.
            return await self._once(caller, request, body, key, expected)

    async def _once(self, caller: Caller, request: Request, body: Body, key: str, expected: bytes) -> Response:
        digest = digest_request(request, expected)
        known = await self._intake.in_thread(self._app.replies.find, caller.key, key, digest)
        if known is not None:
            return reply_again(known)
        text = await self._take(caller, request, body, expected)
        await self._intake.in_thread(self._app.replies.keep, caller.key, key, digest, Reply(202, text))
        return _accepted(text)

    async def _take(self, caller: Caller, request: Request, body: Body, expected: bytes | None) -> str:
        new = _asked(request)
        await self._intake.in_thread(check_asked, self._app, caller, new)
        delivery = Delivery(str(uuid.uuid4()), new.project, new.dataset, _peer(request))
        begin = partial(self._intake.door.receive_archive, delivery, ARCHIVE_NAME, "")
        receiving = await write_through(self._intake, body, begin)
        try:
            return await self._intake.in_thread(self._finish, caller, new, delivery, receiving, expected)
        except BaseException:
            await self._intake.in_thread(receiving.abandon)
            raise

    def _finish(self, caller: Caller, new: NewIntake, delivery: Delivery, receiving: Receiving, expected: bytes | None) -> str:
        file = receiving.check(expected)
        archive = SentFile(file.name, file.size, file.sha256)
        self._app.intakes.start_archive(caller.scope, new, delivery.intake_id, archive, file.skipped)
        try:
            receiving.commit()
        except BaseException:
            self._app.intakes.discard(caller.scope, delivery.intake_id)
            raise
        self._app.intakes.seal_archive(caller.scope, delivery.intake_id)
        self._intake.metrics.observe_file(file.size)
        return shape_upload(self._app, caller.scope, delivery.intake_id).model_dump_json()


def _parameter(name: str, where: str, description: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "description": description, "schema": {"type": "string"}}


_DIGEST = _parameter("Content-Digest", "header", "sha-256=:<base64>: (RFC 9530); other bytes are refused with 422 and nothing is kept")
_PUT: dict[str, Any] = {
    "summary": "Put File",
    "description": "One file: DICOM, anything else, or a zip of any depth. Parallel, any order; the same bytes again change nothing.",
    "operationId": "put_file",
    "parameters": [
        _parameter("upload_id", "path", "the upload", required=True),
        _parameter("name", "path", "the sender's name for the file; may hold slashes", required=True),
        _DIGEST,
    ],
    "responses": {
        "201": {"description": "durable: name, size and sha256"},
        "409": {"description": "the name is taken, or the upload complete"},
    },
}
_POST: dict[str, Any] = {
    "summary": "Post Archive",
    "description": "A zip as one whole, completed upload: all of it or nothing.",
    "operationId": "post_archive",
    "parameters": [
        _parameter("project", "query", "whose images they are", required=True),
        _parameter("report_type", "query", "the template that shall process the studies"),
        _parameter("dataset", "query", "a label for the studies"),
        _parameter("force_reprocessing", "query", "true or false"),
        _DIGEST,
        _parameter("Idempotency-Key", "header", "asked again with it, the upload is made once; it needs a Content-Digest"),
    ],
    "responses": {"202": {"description": "durable and complete: the upload"}, "422": {"description": "refused; nothing was kept"}},
}


async def write_through(intake: Intake, body: Body, begin: Callable[[bytes], Receiving]) -> Receiving:
    """Write a body piece by piece, in a thread, while the next piece arrives; whatever fails leaves nothing behind."""
    piece = await body.read(PIECE)
    receiving = await intake.in_thread(begin, piece)
    writing = asyncio.ensure_future(intake.in_thread(receiving.write, piece))
    try:
        while not body.is_over:
            piece = await body.read(PIECE)
            await writing
            writing = asyncio.ensure_future(intake.in_thread(receiving.write, piece))
        await writing
    except BaseException:
        await asyncio.wait([writing])
        await intake.in_thread(receiving.abandon)
        raise
    return receiving


def check_asked(app: Application, caller: Caller, new: NewIntake) -> None:
    """Refuse what an upload asks for, before a byte of it is taken.

    Raises:
        NotFoundError, ForbiddenError: the project. InvalidError: the report type or the dataset.
    """
    check_dataset(new.dataset)
    app.intakes.check_sender(caller.scope, new.project)
    if new.report_type:
        try:
            app.templates.find(caller.scope, new.report_type)
        except NotFoundError as error:
            raise InvalidError(error.sentence, error.mend) from error


def _asked(request: Request) -> NewIntake:
    query = request.query_params
    force = query.get("force_reprocessing", "false").lower()
    if not query.get("project") or force not in ("true", "false", "1", "0"):
        raise InvalidError("The query names no project, or force_reprocessing is neither true nor false.", "Send ?project=NAME.")
    return NewIntake(query["project"], DOOR, query.get("report_type", ""), query.get("dataset", ""), force in ("true", "1"))


def _record(app: Application, caller: Caller, intake_id: str, file: ReceivedFile) -> None:
    app.intakes.record_archive(caller.scope, intake_id, SentFile(file.name, file.size, file.sha256), file.skipped)


def _delivery(upload: OpenUpload, request: Request) -> Delivery:
    return Delivery(upload.intake.id, upload.intake.project, upload.intake.dataset, _peer(request))


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def _accepted(text: str) -> Response:
    return Response(text, 202, media_type="application/json")


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
