"""Who calls, and what each route needs of them: `call: Annotated[Call, Depends(needs(Right.OPERATE))]`."""

import base64
import binascii
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from hilum.api.lanes import SIGNING_IN
from hilum.api.problems import BusyError, UnauthenticatedError
from hilum.model.errors import ForbiddenError
from hilum.model.identity import Right, Scope
from hilum.runtime.assembling import Application, scope_of_environment_token

REMEMBERED_SECONDS = 5.0
_MOST_REMEMBERED = 1024
_MOST_AT_ONCE = 2  # an argon2id check takes 64 MiB
_MOST_WAITING = 8  # they wait in threads that all who come share: passwords may have so many of the 12


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody known.

    Args:
        key: under which the replies to its changes are kept: one a credential, and no secret.
    """

    scope: Scope
    key: str


class Authenticator:
    """Finds callers by their Authorization header. What was found is remembered for some seconds, what was not never is.

    Args:
        ticks: seconds, monotonic.
    """

    def __init__(self, app: Application, ticks: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._ticks = ticks
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._passwords = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)

    def remembered(self, header: str) -> Caller | None:
        """The caller, when it was looked up moments ago."""
        known = self._known.get(_digest(header))
        return known[1] if known is not None and known[0] > self._ticks() else None

    def look_up(self, header: str) -> Caller:
        """The caller, from the ledger; blocks.

        Raises:
            UnauthenticatedError: nobody. BusyError: too many passwords are being checked.
        """
        scheme, _, credential = header.partition(" ")
        match scheme.lower():
            case "bearer":
                caller = self._by_token(credential.strip())
            case "basic":
                caller = self._by_password(*_parse_basic(credential))
            case _:
                caller = None  # no scheme that is spoken here
        if caller is None:
            raise UnauthenticatedError("No credential that is known here came with the request.", "Send a token: Authorization: Bearer ...")
        self._remember(header, caller)
        return caller

    def _by_token(self, secret: str) -> Caller | None:
        scope = scope_of_environment_token(self._app.settings, secret) or self._app.access.scope_of_token(secret)
        return None if scope is None else Caller(scope, f"token {_digest(secret).hex()}")

    def _by_password(self, name: str, password: str) -> Caller | None:
        """A token may stand in the password's place, with any name."""
        by_token = self._by_token(password)
        if by_token is not None:
            return by_token
        if not self._waiting.acquire(blocking=False):
            raise BusyError("Too many passwords are being checked.", "Try again in a moment, or send a token.")
        try:
            with self._passwords:
                scope = self._app.access.scope_of_user(name, password)
        finally:
            self._waiting.release()
        return None if scope is None else Caller(scope, f"user {name}")

    def _remember(self, header: str, caller: Caller) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[_digest(header)] = (self._ticks() + REMEMBERED_SECONDS, caller)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _parse_basic(credential: str) -> tuple[str, str]:
    """RFC 7617 2: base64 of name, colon, password."""
    try:
        name, _, password = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint works with: the application, and whose call it is."""

    app: Application
    caller: Caller

    @property
    def scope(self) -> Scope:
        return self.caller.scope


class Needs:
    """A dependency that lets callers in who hold a right somewhere; the stores judge it for the project of the object."""

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, request: Request) -> Call:
        caller = await caller_of(request)
        refuse_without(caller.scope, self.right)
        return Call(request.app.state.application, caller)


def needs(right: Right) -> Needs:
    """For `Depends`."""
    return Needs(right)


Reader = Annotated[Call, Depends(needs(Right.READ))]
Sender = Annotated[Call, Depends(needs(Right.SEND))]
Operator = Annotated[Call, Depends(needs(Right.OPERATE))]
Reviewer = Annotated[Call, Depends(needs(Right.REVIEW))]
Builder = Annotated[Call, Depends(needs(Right.BUILD))]
Administrator = Annotated[Call, Depends(needs(Right.ADMINISTER))]


async def caller_of(request: Request) -> Caller:
    """Who calls.

    Raises:
        UnauthenticatedError: nobody knows.
        ForbiddenError: another site's page made the browser ask.
    """
    header = request.headers.get("authorization", "")
    if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site") == "cross-site":
        # Fetch Metadata 2.3: browsers send a remembered Basic credential along with whatever page asks for it.
        raise ForbiddenError("A page of another site asked for this change.", "Ask for it from Hilum's own pages.")
    authenticator = cast(Authenticator, request.app.state.authenticator)
    known = authenticator.remembered(header)
    return known if known is not None else await SIGNING_IN.run(authenticator.look_up, header)


async def still_known(request: Request, call: Call) -> Call:
    """A long call with the rights that its credential has now; too many who sign in leave it those it had.

    Raises:
        UnauthenticatedError: the credential was withdrawn, or has expired.
    """
    authenticator = cast(Authenticator, request.app.state.authenticator)
    try:
        caller = await SIGNING_IN.run(authenticator.look_up, request.headers.get("authorization", ""))
    except BusyError:
        return call
    return Call(call.app, caller)


def refuse_without(scope: Scope, right: Right) -> None:
    """Raise ForbiddenError where the caller has `right` in no project at all."""
    if not any(scope.holds(right, project) for project in scope.roles):
        raise ForbiddenError(f"This needs the right to {right}.", "Ask an administrator for a role that has it.")
