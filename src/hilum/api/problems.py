"""Every error as application/problem+json (RFC 9457): a stable type, a sentence, and the mend."""

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from hilum.doors.upload_contract import SendAgainError
from hilum.model.errors import (
    ConflictError,
    DigestError,
    ForbiddenError,
    HilumError,
    InvalidError,
    LeaseLostError,
    MissingKeyError,
    NotFoundError,
    StorageError,
    StorageFullError,
)

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_TOLD = 10  # troubles of one body
LONGEST_PLACE = 300  # characters: groups may lie in each other by the hundred


class UnauthenticatedError(HilumError):
    """Nobody is known by the credential, or there is none."""

    kind = "unauthenticated"


class TooLargeError(HilumError):
    """A body is larger than is taken."""

    kind = "too-large"


class TooSlowError(HilumError):
    """A body did not come within its time."""

    kind = "too-slow"


class UnsupportedError(HilumError):
    """A body is encoded in a way that is not read."""

    kind = "unsupported"


class BusyError(HilumError):
    """There is no memory for this body at the moment."""

    kind = "busy"


STATUS_OF: Mapping[type[HilumError], int] = {
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    TooSlowError: 408,
    ConflictError: 409,
    LeaseLostError: 409,
    MissingKeyError: 409,
    TooLargeError: 413,
    UnsupportedError: 415,
    InvalidError: 422,
    DigestError: 422,
    BusyError: 503,
    SendAgainError: 503,
    StorageError: 503,
    StorageFullError: 507,
}
HEADERS_OF: Mapping[int, Mapping[str, str]] = {
    # RFC 7617 2.1: the charset tells browsers how to encode names and passwords.
    401: {"www-authenticate": 'Bearer realm="Hilum", Basic realm="Hilum", charset="UTF-8"'},
    408: {"connection": "close"},
    413: {"connection": "close"},
    503: {"retry-after": "1"},
}
KIND_OF_STATUS: Mapping[int, str] = {404: "not-found", 405: "method-not-allowed", 400: "bad-request", 413: "too-large"}


def status_of(error: HilumError) -> int:
    """The status of the nearest class in `STATUS_OF`; 500 where none is."""
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)


def problem(status: int, kind: str, detail: str, mend: str = "", **members: Any) -> JSONResponse:
    """A problem document; `members` are extensions (RFC 9457 3.2)."""
    body = {"type": f"/problems/{kind}", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "mend": mend, **members}
    return JSONResponse(body, status, dict(HEADERS_OF.get(status, {})), MEDIA_TYPE)


def problem_of(error: HilumError) -> JSONResponse:
    """A surprise with a sentence, as the caller sees it."""
    reason = getattr(error, "reason", "")
    return problem(status_of(error), error.kind, error.sentence, error.mend, **({"reason": reason} if reason else {}))


def problem_of_bug(error: BaseException, path: str) -> JSONResponse:
    """A surprise without one: the log gets where it happened, the caller nothing of it.

    The exception's own words stay out of both: they may quote what was sent.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("%s at %s\n%s", type(error).__name__, path, frames)
    mend = "Try again; if it happens again, look at the server's log."
    return problem(500, "internal", "The server met a surprise.", mend)


def handle_errors(api: FastAPI) -> None:
    """Answer every kind of error with a problem."""
    api.add_exception_handler(HilumError, _answer_hilum_error)
    api.add_exception_handler(RequestValidationError, _answer_validation_error)
    api.add_exception_handler(HTTPException, _answer_http_error)


async def _answer_hilum_error(_request: Request, error: Exception) -> Response:
    return problem_of(cast(HilumError, error))


async def _answer_validation_error(_request: Request, error: Exception) -> Response:
    """Names the field; what was sent in it is not repeated."""
    found = cast(RequestValidationError, error).errors()
    sentences = [_told(one) for one in found[:MOST_TOLD]] + [f"And {len(found) - MOST_TOLD} more."] * (len(found) > MOST_TOLD)
    return problem(422, InvalidError.kind, " ".join(sentences), "Look at /api/v1/openapi.json for what is asked for.")


def _told(trouble: Mapping[str, Any]) -> str:
    if trouble["type"] == "json_invalid":
        return f"The body is no JSON; it cannot be read from character {trouble['loc'][-1]} on."
    return f"{'.'.join(str(part) for part in trouble['loc'])[:LONGEST_PLACE]}: {trouble['msg']}."


async def _answer_http_error(_request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    kind = KIND_OF_STATUS.get(known.status_code, "refused")
    answer = problem(known.status_code, kind, f"{known.detail}.", "Look at /api/v1/openapi.json for what there is.")
    answer.headers.update(known.headers or {})
    return answer
