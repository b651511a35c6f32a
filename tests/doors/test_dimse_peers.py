"""Who may associate: known pairs of AE title and address, and TLS with client certificates."""

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum.doors.dimse_requestor import Address, AssociationError, echo
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


# --- TLS ---------------------------------------------------------------------------------------------------------------------------


AUTHORITY = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
LEAF = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")


@dataclass
class Certificates:
    """Made by openssl: an authority, a server's and a client's certificate of it, and a client's of nobody."""

    folder: Path

    def make(self, name: str, issuer: str = "", days: int = 2) -> None:
        subject = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]
        # RFC 5280 4.2.1.3, 4.2.1.9: Python 3.13 asks an authority for its key usage.
        extensions = LEAF if issuer else AUTHORITY
        signed = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else []
        command = ["openssl", "req", "-x509", *subject, *extensions, *signed, "-days", str(days), "-out", f"{name}.pem"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def client(self, name: str = "", version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        context.maximum_version = version
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("authority")
    made.make("stranger")
    made.make("door", "authority")
    made.make("modality", "authority")
    made.make("foreign", "stranger")
    return made


@pytest.fixture
def tls_site(make_site: Callable, certificates: Certificates):
    place = certificates.folder
    return make_site(dimse_tls_certificate=place / "door.pem", dimse_tls_key=place / "door.key", dimse_tls_ca=place / "authority.pem")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_of_the_authority_opens_the_door(tls_site, certificates: Certificates, version: ssl.TLSVersion) -> None:
    assert echo(Address("127.0.0.1", tls_site.port, certificates.client("modality", version)), "HILUM", "CT1") < 5


@pytest.mark.parametrize("name", ["", "foreign"])
def test_without_a_certificate_of_the_authority_nobody_comes_in(tls_site, certificates: Certificates, name: str) -> None:  # 15
    with pytest.raises(AssociationError):
        echo(Address("127.0.0.1", tls_site.port, certificates.client(name)), "HILUM", "CT1")
    assert echo(Address("127.0.0.1", tls_site.port, certificates.client("modality")), "HILUM", "CT1") < 5


def test_plain_dicom_at_a_tls_door_is_refused(tls_site) -> None:
    with pytest.raises(AssociationError):
        tls_site.echo()


def test_objects_come_through_tls_bit_for_bit(tls_site, certificates: Certificates, make_data_set: Callable, ask: Callable) -> None:
    from hilum.dicom.upperlayer.items import PresentationContextProposed
    from hilum.doors.dimse_requestor import Requestor, make_request

    body, sop_class = make_data_set("1.2.50.1", size=3_000_000), "1.2.840.10008.5.1.4.1.1.4"
    request = make_request("HILUM", "CT1", [PresentationContextProposed(1, sop_class, ("1.2.840.10008.1.2.1",))])
    with Requestor(Address("127.0.0.1", tls_site.port, certificates.client("modality")), request) as peer:
        assert ask(peer, body, "1.2.50.1").status == 0
    assert tls_site.members()["1.2.50.1.dcm"].endswith(body)
