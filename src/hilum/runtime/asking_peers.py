"""Our own requests to peers: whom they concern, under which AE title, and how the connection is protected."""

import socket
import ssl
from dataclasses import dataclass

from hilum.dicom.upperlayer.items import PresentationContextProposed, RoleSelection
from hilum.dicom.upperlayer.negotiation import UNCOMPRESSED
from hilum.doors.dimse_admission import KnownPeer
from hilum.doors.dimse_commitment import STORAGE_COMMITMENT, encode_report, make_report
from hilum.doors.dimse_requestor import Address, AssociationError, Requestor, echo, make_request
from hilum.model.records import Commitment, Peer
from hilum.runtime.settings import Settings


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


def report_commitment(peer: Peer, our_ae_title: str, commitment: Commitment, settings: Settings) -> str:
    """N-EVENT-REPORT on an association of our own (PS3.4 J.3.3). Why the peer has not taken it; empty where it has.

    PS3.7 D.3.3.4: the requestor is SCU unless it proposes the SCP's role, and the acceptor agrees.
    """
    role = RoleSelection(STORAGE_COMMITMENT, scu_role=False, scp_role=True)
    contexts = [PresentationContextProposed(1, STORAGE_COMMITMENT, UNCOMPRESSED)]
    request = make_request(peer.ae_title, peer.our_ae_title or our_ae_title, contexts, role)
    try:
        with Requestor(address_of(peer, settings), request) as asked:
            context = asked.association.contexts.get(1)
            if context is None or not context.roles.scp:
                return f"{peer.name} takes no reports of storage commitment: it does not agree to our role as their SCP."
            status = asked.ask(1, make_report(commitment, 1), encode_report(commitment, context.transfer_syntax)).status
            return "" if status == 0 else f"{peer.name} answered with status {status:04X}."
    except AssociationError as error:
        return str(error)


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


def own_tls(settings: Settings) -> ssl.SSLContext | None:
    """For asking our own door, which may be called by any name; None where it speaks no TLS."""
    if settings.dimse_tls_certificate is None:
        return None
    context = client_tls(settings)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def known_peer(peer: Peer) -> KnownPeer:
    """A peer with the addresses that its host has now; none where it cannot be resolved."""
    try:
        found = socket.getaddrinfo(peer.host, None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    addresses = frozenset(str(one[4][0]) for one in found)
    return KnownPeer(peer.name, peer.ae_title, peer.host, peer.port, addresses, peer.tls, peer.our_ae_title)
