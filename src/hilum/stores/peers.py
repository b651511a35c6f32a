"""The one table of DICOM peers: for allow lists, echoes, storage commitment, retrieval and destinations."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Right, Scope
from hilum.model.records import Peer
from hilum.stores.access import AE_TITLE_LENGTH
from hilum.stores.database import Database, refuse_taken
from hilum.stores.schema import peers
from hilum.stores.scoping import require

RETRIEVE = ("c-move", "c-get", "wado")
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,255}")


class Peers:
    """Peers belong to no project: administrators of `admin` make them, and who may operate there sees them.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def add(self, scope: Scope, peer: Peer) -> Peer:
        """A new peer. InvalidError for what cannot be one, ConflictError where the name is taken."""
        require(scope, Right.ADMINISTER, ADMIN_PROJECT)
        _check(peer)
        with self.database.writing() as connection, refuse_taken(f"There is a peer {peer.name!r} already.", "Choose another name."):
            values = {column.name: getattr(peer, column.name) for column in peers.c if column.name != "created_at"}
            connection.execute(insert(peers).values(**values, created_at=self._clock()))
        return peer

    def list_peers(self, scope: Scope) -> list[Peer]:
        """All, by name."""
        require(scope, Right.OPERATE, ADMIN_PROJECT)
        with self.database.reading() as connection:
            return [_peer(row) for row in connection.execute(select(peers).order_by(peers.c.name))]

    def find(self, scope: Scope, name: str) -> Peer:
        """One of them, or NotFoundError."""
        require(scope, Right.OPERATE, ADMIN_PROJECT)
        with self.database.reading() as connection:
            row = connection.execute(select(peers).where(peers.c.name == name)).first()
        if row is None:
            raise NotFoundError(f"There is no peer {name!r}.", "Look at `hilum pacs list`.")
        return _peer(row)

    def remove(self, scope: Scope, name: str) -> None:
        """It is known no more; NotFoundError where it never was."""
        require(scope, Right.ADMINISTER, ADMIN_PROJECT)
        with self.database.writing() as connection:
            if connection.execute(delete(peers).where(peers.c.name == name)).rowcount == 0:
                raise NotFoundError(f"There is no peer {name!r}.", "Look at `hilum pacs list`.")


def _check(peer: Peer) -> None:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", peer.name) is None:
        raise InvalidError(f"{peer.name!r} cannot be a peer's name.", "It has 1 to 64 letters, digits, underscores and hyphens.")
    if not peer.ae_title:
        raise InvalidError("A peer has an AE title.", "It is what the peer calls itself, with at most 16 characters.")
    for ae_title in (peer.ae_title, peer.our_ae_title):
        if not is_ae_title(ae_title):
            raise InvalidError(
                f"{ae_title!r} is no AE title.", "It has at most 16 printable ASCII characters and no backslash (PS3.5 6.2)."
            )
    if _HOST.fullmatch(peer.host) is None:
        raise InvalidError(f"{peer.host!r} is no host.", "Give a name or an address, without a port.")
    if not 0 < peer.port < 65_536:
        raise InvalidError(f"{peer.port} is no port.", "DICOM's own are 104 and 11112.")
    if peer.retrieve not in RETRIEVE:
        raise InvalidError(f"{peer.retrieve!r} is no way to retrieve.", f"Name one of {', '.join(RETRIEVE)}.")


def is_ae_title(text: str) -> bool:
    """PS3.5 6.2, AE: the default character repertoire without backslash and control characters; spaces around it do not count."""
    is_spelled = text.isascii() and "\\" not in text and (text == "" or text.isprintable())
    return is_spelled and len(text) <= AE_TITLE_LENGTH and text == text.strip()


def _peer(row: Row[Any]) -> Peer:
    return Peer(row.name, row.ae_title, row.host, row.port, row.our_ae_title, row.tls, row.retrieve, row.dicomweb_url)
