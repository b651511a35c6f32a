"""The table of DICOM peers."""

from dataclasses import replace
from typing import Any

import pytest

from hilum.model.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.records import Peer
from hilum.stores.peers import Peers

CT = Peer("ct1", "CT1", "10.0.0.7", 104, "GATEWAY", True, "c-get", "https://pacs.example/dicomweb")


@pytest.fixture
def peers(site: Any) -> Peers:
    return Peers(site.database, site.clock)


def test_a_peer_is_found_as_it_was_given(peers: Peers) -> None:
    peers.add(SYSTEM, CT)
    assert peers.find(SYSTEM, "ct1") == CT
    assert peers.list_peers(SYSTEM) == [CT]


def test_a_name_is_given_once(peers: Peers) -> None:
    peers.add(SYSTEM, CT)
    with pytest.raises(ConflictError):
        peers.add(SYSTEM, replace(CT, host="10.0.0.8"))


def test_two_peers_may_share_an_ae_title(peers: Peers) -> None:
    peers.add(SYSTEM, CT)
    peers.add(SYSTEM, replace(CT, name="ct2", host="10.0.0.8"))
    assert len(peers.list_peers(SYSTEM)) == 2


def test_what_is_removed_is_gone(peers: Peers) -> None:
    peers.add(SYSTEM, CT)
    peers.remove(SYSTEM, "ct1")
    for ask in (peers.find, peers.remove):
        with pytest.raises(NotFoundError):
            ask(SYSTEM, "ct1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a b"},
        {"ae_title": ""},
        {"ae_title": "SEVENTEEN_LETTERS"},
        {"ae_title": "A\\B"},
        {"our_ae_title": "\n"},
        {"host": "http://x/"},
        {"host": ""},
        {"port": 0},
        {"port": 70_000},
        {"retrieve": "fax"},
    ],
)
def test_what_can_be_no_peer_is_refused(peers: Peers, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        peers.add(SYSTEM, replace(CT, **wrong))


def test_peers_are_the_sites_and_no_projects(peers: Peers, site: Any, ward: Scope) -> None:
    site.access.create_project(SYSTEM, "ward")
    with pytest.raises(ForbiddenError):
        peers.add(ward, CT)
    with pytest.raises(ForbiddenError):
        peers.list_peers(ward)
    assert peers.list_peers(Scope("operator", {"admin": Role.OPERATOR})) == []
