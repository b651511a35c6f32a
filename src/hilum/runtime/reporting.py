"""Reports of storage commitment to peers that have left, until they confirm them: from the ledger, with back-off, over restarts."""

import logging
from datetime import timedelta

from hilum.model.identity import SYSTEM
from hilum.model.records import OwedReport
from hilum.runtime.asking_peers import known_peer, report_commitment
from hilum.runtime.assembling import Application

_LOG = logging.getLogger(__name__)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)
UNKNOWN = "{calling} at {address} is no registered peer (`hilum pacs add`)."


def report_commitments(app: Application) -> list[str]:
    """Tell what is due. What stands in the way is returned, a sentence a peer; who does not answer is asked once a round."""
    troubles: dict[tuple[str, str], str] = {}
    for owed in app.commitments.due(SYSTEM):
        whose = owed.calling_ae_title, owed.address
        why = troubles.get(whose) or _tell(app, owed)
        if why:
            troubles[whose] = why
        _note(app, owed, why)
    return [f"A report of storage commitment waits. {why}" for why in troubles.values()]


def delay_after(attempt: int) -> timedelta:
    """How long to wait after so many attempts in vain."""
    return min(LONGEST_DELAY, timedelta(seconds=FIRST_DELAY.total_seconds() * 2 ** min(attempt, 16)))


def _note(app: Application, owed: OwedReport, why: str) -> None:
    if not why:
        app.commitments.settle(SYSTEM, owed.key)
    elif app.clock() - owed.owed_at > timedelta(hours=app.settings.dimse_report_hours):
        _LOG.error("the report of storage commitment %s is given up: %s", owed.commitment.transaction_uid, why)
        app.commitments.settle(SYSTEM, owed.key)
    else:
        app.commitments.postpone(SYSTEM, owed.key, delay_after(owed.attempt))


def _tell(app: Application, owed: OwedReport) -> str:
    """To the peer that asked: its AE title at the address it asked from. Why it was not told; empty where it was."""
    for peer in app.peers.list_peers(SYSTEM):
        if peer.ae_title == owed.calling_ae_title and owed.address in known_peer(peer).addresses:
            return report_commitment(peer, owed.called_ae_title, owed.commitment, app.settings)
    return UNKNOWN.format(calling=ascii(owed.calling_ae_title), address=owed.address)
