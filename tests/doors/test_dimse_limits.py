"""How many there may be and how long they may be idle; and many at once, who lose nothing."""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from waiting import wait_until
from wire import A_ABORT, associate, receive_pdu, status_of, store_bytes

from hilum.doors.dimse_requestor import AssociationError
from hilum.doors.dimse_statuses import Status
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind
from hilum.stores.ledger import MoveFilter


def test_associations_of_one_peer_are_limited(make_site: Callable) -> None:
    site = make_site(dimse_associations_per_peer=3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(site.associate())
        with pytest.raises(AssociationError, match="too many associations"):
            stack.enter_context(site.associate())
    wait_until(lambda: _echoes(site))


def _echoes(site) -> bool:
    with suppress(AssociationError):
        return site.echo() >= 0
    return False


def test_an_idle_association_is_aborted(make_site: Callable) -> None:
    site = make_site(dimse_idle_seconds=0.3)
    with site.connect() as peer:
        associate(peer)
        assert receive_pdu(peer)[0] == A_ABORT


def test_many_senders_at_once_lose_nothing(make_site: Callable, make_data_set: Callable, ask: Callable) -> None:
    site = make_site()
    answers: list[int] = []

    def send(sender: int) -> None:
        with site.associate(calling=f"S{sender}") as peer:
            for number in range(20):
                uid = f"1.2.40.{sender}.{number}"
                answers.append(ask(peer, make_data_set(uid, size=10_000), uid).status)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [Status.SUCCESS] * 320
    assert len(site.members()) == 320
    intakes = {move.item_id for move in site.app.ledger.list_moves(SYSTEM, MoveFilter()) if move.kind is Kind.INTAKE}
    assert len(intakes) == 16


def test_a_requestor_that_sends_everything_at_once_is_answered_in_full(site, make_data_set: Callable) -> None:
    """Asynchronous operations are not negotiated; a peer that does it all the same is slowed down, not failed."""
    count = 40
    octets = b"".join(store_bytes(make_data_set(f"1.2.41.{n}", size=50_000), f"1.2.41.{n}") for n in range(1, count + 1))
    with site.connect() as peer:
        associate(peer)
        sending = threading.Thread(target=peer.sendall, args=(octets,))
        sending.start()
        assert [status_of(receive_pdu(peer)[1]) for _ in range(count)] == [Status.SUCCESS] * count
        sending.join(10)
