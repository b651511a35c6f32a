"""What can go wrong, each with a sentence and, where one is known, the mend.

HilumError
├── HilumApiError               the server answered and said no (RFC 9457)
│   ├── UnauthorizedError 401   ├── ForbiddenError 403   ├── NotFoundError 404
│   ├── ConflictError 409       ├── InvalidError 422     └── StorageFullError 507
├── ServerUnreachableError      no answer came, after all retries
├── UnexpectedReplyError        an answer came that this version cannot read
├── NothingToUploadError        the folder holds no file that could be sent
├── UnreadableFilesError        files of the folder may not be read
├── FileChangedError            a file changed while it was being sent
├── DigestMismatchError         bytes that arrived are not the bytes that left
├── UploadFailedError           the upload ended without all of its results
│   └── UploadPartlyError       ... but with some of them
├── UploadHeldError             a person must look before it goes on
└── WaitTimeoutError            it is still under way; also a TimeoutError
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from hilum_sdk.models import Upload


class HilumError(Exception):
    """The base of all errors of this package.

    Attributes:
        sentence: what went wrong, for the person who must act.
        mend: what to do about it; empty where nothing is known.
    """

    def __init__(self, sentence: str, mend: str = "") -> None:
        super().__init__(sentence, mend)
        self.sentence = sentence
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.sentence} Mend: {self.mend}" if self.mend else self.sentence


class HilumApiError(HilumError):
    """The server refused a call.

    Attributes:
        status: the HTTP status.
        type: the stable problem type (RFC 9457 3.1.1), `about:blank` where the server gave none.
        title: the problem in general.
        detail: the problem in this case.
    """

    def __init__(self, status: int, type: str, title: str, detail: str, mend: str = "") -> None:
        super().__init__(detail or title, mend)
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.type, self.title, self.detail, self.mend)

    def __str__(self) -> str:
        return f"{super().__str__()} (HTTP {self.status})"


class UnauthorizedError(HilumApiError):
    """401: no token, or one that the server does not know."""


class ForbiddenError(HilumApiError):
    """403: the token's role does not allow this."""


class NotFoundError(HilumApiError):
    """404: it does not exist, or not for this token."""


class ConflictError(HilumApiError):
    """409: it is not in a state in which this can be done."""


class InvalidError(HilumApiError):
    """422: the request itself is wrong, or its bytes have another digest than it says."""


class StorageFullError(HilumApiError):
    """507: the server's disk is full; nothing of this request was kept."""


class ServerUnreachableError(HilumError):
    """No answer came within the time for retries."""


class UnexpectedReplyError(HilumError):
    """The server's answer does not have the shape that this version of the package knows."""


class NothingToUploadError(HilumError):
    """No file of the folder could be sent; nothing was started at the server."""


class UnreadableFilesError(HilumError):
    """Files of the folder may not be read; nothing was started at the server, for leaving them out would lose images silently."""


class FileChangedError(HilumError):
    """A file on this machine changed between its digest and its sending."""


class DigestMismatchError(HilumError):
    """The SHA-256 of bytes that arrived is not that of the bytes that left."""


class _UploadOutcomeError(HilumError):
    """An upload that came to an end of which the caller must know.

    Attributes:
        sentences: the server's reasons, one each.
        upload: the upload as it was last seen.
    """

    verb = ""

    def __init__(self, sentences: Sequence[str], upload: Upload) -> None:
        self.sentences = list(sentences)
        self.upload = upload
        super().__init__(f"The upload {upload.id} {self.verb}: {' '.join(self.sentences) or 'the server gives no reason.'}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.sentences, self.upload)


class UploadFailedError(_UploadOutcomeError):
    """The upload ended and not all of its results will come."""

    verb = "failed"


class UploadPartlyError(UploadFailedError):
    """Some results of the upload were delivered, others will not come; those delivered can be downloaded."""

    verb = "succeeded only in part"


class UploadHeldError(_UploadOutcomeError):
    """The upload waits for a person; it goes on when it is released, and can then be waited for again."""

    verb = "is held"


class WaitTimeoutError(HilumError, TimeoutError):
    """The time for waiting ran out; the upload goes on without the one who waits.

    Attributes:
        upload: the upload as it was last seen.
    """

    def __init__(self, upload: Upload, timeout: float) -> None:
        super().__init__(
            f"The upload {upload.id} is still at {upload.step} after {timeout:g} s.",
            "wait for it again; `hilum why` names what it waits for.",
        )
        self.upload = upload
        self.timeout = timeout

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.upload, self.timeout)


ERROR_OF_STATUS: Mapping[int, type[HilumApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
    507: StorageFullError,
}


def api_error(response: httpx.Response) -> HilumApiError:
    """The error that a response of status 300 or above stands for; a body that is no problem document is quoted."""
    problem = _problem(response)
    kind = ERROR_OF_STATUS.get(response.status_code, HilumApiError)
    return kind(
        response.status_code,
        _text(problem.get("type")) or "about:blank",
        _text(problem.get("title")) or response.reason_phrase or f"HTTP status {response.status_code}",
        _text(problem.get("detail")),
        _text(problem.get("mend")),
    )


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The members of `application/problem+json`, or of what a proxy between us and the server put in its place."""
    if "json" in response.headers.get("content-type", ""):
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
    # A proxy's HTML page is no sentence; its reason phrase says as much.
    is_plain = response.headers.get("content-type", "").startswith("text/plain")
    return {"detail": response.text[:500].strip() if is_plain else ""}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
