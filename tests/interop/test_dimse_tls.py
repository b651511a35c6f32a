"""DCMTK over TLS: with a client certificate of the authority, without one, with one that is over; and what `hilum doctor` says."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Certificates, make_certificates
from waiting import wait_until

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def config(certificates: Certificates) -> Path:
    return write_config(certificates, "door")


def write_config(certificates: Certificates, name: str) -> Path:
    """A hilum.toml with the certificate `name` for the door."""
    folder, path = certificates.folder, certificates.folder / f"{name}.toml"
    lines = {"certificate": f"{name}.pem", "key": f"{name}.key", "ca": "authority.pem"}
    path.write_text("".join(f'dimse_tls_{setting} = "{folder / file}"\n' for setting, file in lines.items()))
    return path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[PrivateServer]:
    options = ["--dimse", "127.0.0.1:0", "--workers", "1", "--config", str(config)]
    with PrivateServer(tmp_path_factory.mktemp("secured") / "data", options) as running:
        yield running


def tls_options(certificates: Certificates, name: str) -> list[str]:
    folder = certificates.folder
    trusted = ["+cf", str(folder / "authority.pem")]
    if not name:
        return ["+tla", *trusted]
    return ["+tls", str(folder / f"{name}.key"), str(folder / f"{name}.pem"), *trusted]


def test_dcmtk_sends_over_tls_with_a_certificate_of_the_authority(
    secured: PrivateServer, certificates: Certificates, run_peer: Callable, shared_data: Path
) -> None:
    images = sorted((shared_data / "mr_t1_sagittal_160").rglob("*.dcm"))[:5]
    ran = run_peer("storescu", "-v", *tls_options(certificates, "modality"), "-aec", "HILUM", *secured.dimse.split(":"), *images)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count("Received Store Response (Success)") == 5
    with Hilum(secured.url, token=secured.token) as hilum:
        wait_until(lambda: [study.number_of_instances for study in hilum.studies.list()] == [5], 60, 0.1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", ""), ("foreign", "unable to get local issuer certificate"), ("expired", "certificate has expired")],
)
def test_without_a_valid_certificate_dcmtk_is_refused_and_the_log_says_why(  # 15
    secured: PrivateServer, certificates: Certificates, run_peer: Callable, name: str, reason: str
) -> None:
    ran = run_peer("echoscu", "-v", *tls_options(certificates, name), "-aec", "HILUM", *secured.dimse.split(":"))
    assert ran.returncode != 0
    wait_until(lambda: "TLS refused" in secured.log.read_text() and reason in secured.log.read_text())
    assert run_peer("echoscu", *tls_options(certificates, "modality"), "-aec", "HILUM", *secured.dimse.split(":")).returncode == 0


def test_dcmtk_without_tls_is_refused(secured: PrivateServer, run_peer: Callable) -> None:
    assert run_peer("echoscu", "-aec", "HILUM", *secured.dimse.split(":")).returncode != 0


def doctor(config: Path, dimse: str, data: Path) -> str:
    environment = {**os.environ, "HILUM_DIMSE": dimse}
    command = [sys.executable, "-m", "hilum", "doctor", "--data", str(data), "--config", str(config)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout


def test_the_doctor_echoes_the_door_over_tls_and_tells_how_long_its_certificate_is_valid(secured: PrivateServer, config: Path) -> None:
    said = doctor(config, secured.dimse, secured.log.parent)
    assert f"answers C-ECHO at {secured.dimse}" in said
    assert "door.pem is valid until" in said


def test_the_doctor_names_a_certificate_that_is_over(certificates: Certificates, tmp_path: Path) -> None:
    said = doctor(write_config(certificates, "expired"), "127.0.0.1:1", tmp_path / "none")
    (line,) = [line for line in said.splitlines() if "expired.pem" in line]
    assert line.startswith("not ok")
    assert "has expired on 2020-02-01" in line
    assert "Renew it" in line
