"""TLS with client certificates: TLS 1.2 or newer, and whoever is refused is told of in the log with the reason."""

import ssl
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Certificates, make_certificates
from waiting import wait_until

from hilum.doors.dimse_requestor import Address, AssociationError, echo
from hilum.model.records import Peer
from hilum.runtime.asking_peers import echo_peer
from hilum.runtime.settings import Settings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def settings_of(certificates: Certificates) -> dict[str, Any]:
    folder = certificates.folder
    return {
        "dimse_tls_certificate": folder / "door.pem",
        "dimse_tls_key": folder / "door.key",
        "dimse_tls_ca": folder / "authority.pem",
    }


@pytest.fixture
def tls_site(make_site: Callable, certificates: Certificates):
    return make_site(**settings_of(certificates))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_of_the_authority_opens_the_door(tls_site, certificates: Certificates, version: ssl.TLSVersion) -> None:
    assert echo(Address("127.0.0.1", tls_site.port, certificates.client("modality", version)), "HILUM", "CT1") < 5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "peer did not return a certificate"),
        ("foreign", "the certificate is not accepted: unable to get local issuer certificate"),
        ("expired", "the certificate is not accepted: certificate has expired"),
    ],
)
def test_without_a_valid_certificate_of_the_authority_nobody_comes_in(  # 15
    tls_site, certificates: Certificates, caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    with pytest.raises(AssociationError):
        echo(Address("127.0.0.1", tls_site.port, certificates.client(name)), "HILUM", "CT1")
    wait_until(lambda: f'TLS refused: peer="127.0.0.1" reason="{reason}"' in caplog.text)
    assert echo(Address("127.0.0.1", tls_site.port, certificates.client("modality")), "HILUM", "CT1") < 5


def test_plain_dicom_at_a_tls_door_is_refused(tls_site) -> None:
    with pytest.raises(AssociationError):
        tls_site.echo()


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_tls_older_than_1_2_is_refused(tls_site, certificates: Certificates, caplog: pytest.LogCaptureFixture, version: str) -> None:
    folder = certificates.folder
    old = ["openssl", "s_client", version, "-cipher", "DEFAULT@SECLEVEL=0", "-connect", f"127.0.0.1:{tls_site.port}"]
    shown = ["-cert", str(folder / "modality.pem"), "-key", str(folder / "modality.key")]
    said = subprocess.run([*old, *shown], input=b"", capture_output=True, timeout=30, check=False)
    assert said.returncode != 0
    wait_until(lambda: 'TLS refused: peer="127.0.0.1" reason="unsupported protocol"' in caplog.text)
    assert echo(Address("127.0.0.1", tls_site.port, certificates.client("modality")), "HILUM", "CT1") < 5


def test_a_handshake_that_is_not_finished_ends_with_artim(make_site: Callable, certificates: Certificates) -> None:
    site = make_site(dimse_artim_seconds=0.5, **settings_of(certificates))
    with site.connect() as silent:
        silent.settimeout(10)
        assert silent.recv(1) == b""


def test_a_peer_whose_certificate_is_over_is_named_so_when_we_ask_it(make_site: Callable, certificates: Certificates) -> None:
    folder = certificates.folder
    site = make_site(dimse_tls_certificate=folder / "expired.pem", dimse_tls_key=folder / "expired.key")
    settings = Settings(data=folder, **settings_of(certificates))
    answer = echo_peer(Peer("old", "HILUM", "127.0.0.1", site.port, tls=True), settings)
    assert answer.seconds is None
    assert "the certificate is not accepted: certificate has expired" in answer.why


def test_objects_come_through_tls_bit_for_bit(tls_site, certificates: Certificates, make_data_set: Callable, ask: Callable) -> None:
    from hilum.dicom.upperlayer.items import PresentationContextProposed
    from hilum.doors.dimse_requestor import Requestor, make_request

    body, sop_class = make_data_set("1.2.50.1", size=3_000_000), "1.2.840.10008.5.1.4.1.1.4"
    request = make_request("HILUM", "CT1", [PresentationContextProposed(1, sop_class, ("1.2.840.10008.1.2.1",))])
    with Requestor(Address("127.0.0.1", tls_site.port, certificates.client("modality")), request) as peer:
        assert ask(peer, body, "1.2.50.1").status == 0
    assert tls_site.members()["1.2.50.1.dcm"].endswith(body)
