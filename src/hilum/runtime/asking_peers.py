"""Our own requests to peers: whom they concern, under which AE title, and how the connection is protected."""

import logging
import socket
import ssl
from dataclasses import dataclass

from hilum.dicom.upperlayer.items import PresentationContextProposed, RoleSelection
from hilum.dicom.upperlayer.messages import NEventReportRequest
from hilum.dicom.upperlayer.negotiation import UNCOMPRESSED
from hilum.doors.dimse_admission import KnownPeer
from hilum.doors.dimse_commitment import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, CommitmentResult
from hilum.doors.dimse_requestor import Address, AssociationError, Requestor, echo, make_request
from hilum.model.records import Peer
from hilum.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Echo:
    """What came of a C-ECHO: the seconds it took, or why there was no answer."""

    seconds: float | None
    why: str = ""


def echo_peer(peer: Peer, settings: Settings) -> Echo:
    """C-ECHO of a peer that an administrator registered."""
    try:
        return Echo(echo(address_of(peer, settings), peer.ae_title, peer.our_ae_title or settings.dimse_ae_title))
    except AssociationError as error:
        return Echo(None, str(error))


def report_commitment(peer: Peer, our_ae_title: str, result: CommitmentResult, settings: Settings) -> bool:
    """N-EVENT-REPORT on an association of our own (PS3.4 J.3.3). Whether the peer took it.

    PS3.7 D.3.3.4: the requestor is SCU by default, so we propose the SCP's role.
    """
    role = RoleSelection(STORAGE_COMMITMENT, scu_role=False, scp_role=True)
    contexts = [PresentationContextProposed(1, STORAGE_COMMITMENT, UNCOMPRESSED)]
    request = make_request(peer.ae_title, peer.our_ae_title or our_ae_title, contexts, role)
    message = NEventReportRequest(
        message_id=1,
        affected_sop_class_uid=STORAGE_COMMITMENT,
        affected_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
        event_type_id=result.event_type_id,
    )
    try:
        with Requestor(address_of(peer, settings), request) as asked:
            context = asked.association.contexts.get(1)
            return context is not None and asked.ask(1, message, result.encode(context.transfer_syntax)).status == 0
    except AssociationError as error:
        _LOG.warning("a report of storage commitment was not taken: %s", error)
        return False


def address_of(peer: Peer, settings: Settings) -> Address:
    """Where a peer listens, with TLS where it speaks it."""
    return Address(peer.host, peer.port, client_tls(settings) if peer.tls else None)


def client_tls(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the peer's certificate is checked against the DIMSE authorities, ours is shown where there is one."""
    context = ssl.create_default_context(cafile=None if settings.dimse_tls_ca is None else str(settings.dimse_tls_ca))
    # Python 3.13 asks more of certificates than its forerunners (RFC 5280, 4.2.1.3: key usage of an authority); authorities of hospitals
    # often lack that, and whether a peer is reached must not depend on the Python that Hilum runs on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.dimse_tls_certificate is not None:
        context.load_cert_chain(settings.dimse_tls_certificate, settings.dimse_tls_key)
    return context


def known_peer(peer: Peer) -> KnownPeer:
    """A peer with the addresses that its host has now; none where it cannot be resolved."""
    try:
        found = socket.getaddrinfo(peer.host, None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    addresses = frozenset(str(one[4][0]) for one in found)
    return KnownPeer(peer.name, peer.ae_title, peer.host, peer.port, addresses, peer.tls, peer.our_ae_title)
