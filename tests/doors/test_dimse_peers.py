"""Who may associate: known pairs of AE title and address."""

from collections.abc import Callable

import pytest

from hilum.doors.dimse_requestor import AssociationError
from hilum.model.identity import SYSTEM
from hilum.model.records import Peer


def test_only_registered_pairs_of_ae_title_and_address_are_let_in(make_site: Callable) -> None:
    site = make_site(dimse_allow="peers")
    site.app.peers.add(SYSTEM, Peer("here", "CT1", "localhost", 104))
    site.app.peers.add(SYSTEM, Peer("elsewhere", "CT2", "192.0.2.1", 104))
    assert site.echo(calling="CT1") < 5
    for calling in ("CT2", "CT3", "ct1"):
        with pytest.raises(AssociationError, match="does not know our AE title"):
            site.echo(calling=calling)


def test_a_peer_may_send_as_soon_as_it_is_registered(make_site: Callable) -> None:
    site = make_site(dimse_allow="peers")
    with pytest.raises(AssociationError):
        site.echo(calling="CT1")
    site.app.peers.add(SYSTEM, Peer("here", "CT1", "127.0.0.1", 104))
    assert site.echo(calling="CT1") < 5
