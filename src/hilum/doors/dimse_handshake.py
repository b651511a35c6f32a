"""TLS in front of connections (PS3.15 B.12). Accepted by our own hand: asyncio's server tells nobody whose handshake failed, and why."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable

_LOG = logging.getLogger("hilum.dimse")
_REST_SECONDS = 1.0  # when no connection can be accepted: out of file descriptors, most likely


class SecuredServer:
    """Accepts connections and hands on those whose handshake succeeds. Belongs to the event loop.

    Args:
        make_connection: what takes over then.
        seconds: how long a handshake may take.
        note_refused: is called when one fails.
    """

    def __init__(
        self,
        make_connection: Callable[[], asyncio.BaseProtocol],
        listening: socket.socket,
        context: ssl.SSLContext,
        seconds: float,
        note_refused: Callable[[], object],
    ) -> None:
        self._make_connection = make_connection
        self._listening = listening
        self._context = context
        self._seconds = seconds
        self._note_refused = note_refused
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept no more; handshakes that are under way end."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            try:
                accepted, address = await self._loop.sock_accept(self._listening)
            except OSError as error:
                _LOG.warning("a connection could not be accepted: %s", error.strerror)
                await asyncio.sleep(_REST_SECONDS)
                continue
            task = self._loop.create_task(self._secure(accepted, str(address[0])))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _secure(self, accepted: socket.socket, address: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make_connection, accepted, ssl=self._context, ssl_handshake_timeout=self._seconds
            )
        except OSError as error:  # TimeoutError and SSLError are such
            accepted.close()
            self._note_refused()
            _LOG.warning("TLS refused: peer=%s reason=%s", json.dumps(address), json.dumps(reason_of(error)))


def reason_of(error: Exception) -> str:
    """Why TLS failed, in OpenSSL's words without its file names: "certificate has expired"."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return (error.reason or str(error)).replace("_", " ").lower()
        case TimeoutError() | ConnectionAbortedError():
            return "the handshake was not finished in time"
    return str(error) or type(error).__name__
