"""PACS nodes and other DICOM peers: who may send, and whom we ask."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator, Operator
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.model.records import Peer
from hilum.model.templates import NAME_PATTERN
from hilum.runtime.asking_peers import echo_peer

router = make_router("pacs")


class PeerShape(BaseModel):
    """A peer as it is given and shown."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    ae_title: str = Field(min_length=1, max_length=16, description="what the peer calls itself")
    host: str = Field(min_length=1, max_length=255)
    port: int = Field(gt=0, lt=65_536)
    our_ae_title: str = Field("", max_length=16, description="what we call ourselves towards it; empty: the setting's")
    tls: bool = False
    retrieve: Literal["c-move", "c-get", "wado"] = "c-move"
    dicomweb_url: str = Field("", max_length=2000)


class EchoShape(BaseModel):
    """Whether a peer answered C-ECHO, after how many seconds, or why not."""

    name: str
    answered: bool
    seconds: float | None
    why: str


@router.post("/pacs", status_code=201)
def add_peer(call: Administrator, new: PeerShape) -> PeerShape:
    """A new peer."""
    return _shape(call.app.peers.add(call.scope, Peer(**new.model_dump())))


@router.get("/pacs", response_model=Listed[PeerShape])
def list_peers(call: Operator) -> Any:
    """All peers, by name."""
    return whole([_shape(peer) for peer in call.app.peers.list_peers(call.scope)])


@router.delete("/pacs/{name}", status_code=204)
def remove_peer(call: Administrator, name: str) -> None:
    """The peer is known no more."""
    call.app.peers.remove(call.scope, name)


@router.post("/pacs/{name}/echo")
def echo_one(call: Operator, name: str) -> EchoShape:
    """C-ECHO of a peer."""
    answer = echo_peer(call.app.peers.find(call.scope, name), call.app.settings)
    return EchoShape(name=name, answered=answer.seconds is not None, seconds=answer.seconds, why=answer.why)


def _shape(peer: Peer) -> PeerShape:
    return PeerShape(**{field: getattr(peer, field) for field in PeerShape.model_fields})
