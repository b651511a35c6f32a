"""Who may associate: known pairs of AE title and address."""

from collections.abc import Callable

import pytest
from waiting import wait_until

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


@pytest.mark.parametrize(
    ("calling", "reason"), [("CT2", "The calling AE title is a peer's at another address."), ("CT3", "The calling AE title is no peer's.")]
)
def test_who_is_not_let_in_stands_in_the_log(  # 7
    make_site: Callable, caplog: pytest.LogCaptureFixture, calling: str, reason: str
) -> None:
    site = make_site(dimse_allow="peers")
    site.app.peers.add(SYSTEM, Peer("elsewhere", "CT2", "192.0.2.1", 104))
    caplog.set_level("INFO", "hilum.dimse")
    with pytest.raises(AssociationError):
        site.echo(calling=calling)
    wait_until(lambda: reason in caplog.text)
    (line,) = [record.getMessage() for record in caplog.records if reason in record.getMessage()]
    assert f'peer="127.0.0.1" calling="{calling}" called="HILUM" ended="rejected"' in line


def test_a_peer_may_send_as_soon_as_it_is_registered(make_site: Callable) -> None:
    site = make_site(dimse_allow="peers")
    with pytest.raises(AssociationError):
        site.echo(calling="CT1")
    site.app.peers.add(SYSTEM, Peer("here", "CT1", "127.0.0.1", 104))
    assert site.echo(calling="CT1") < 5
