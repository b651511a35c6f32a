"""Certificates for tests, in a folder: NAME.pem and NAME.key."""

import ssl
import subprocess
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
LEAF = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")


@dataclass
class Certificates:
    """Made by openssl: an authority, a server's and a client's certificate of it, and a client's of nobody."""

    folder: Path

    def make(self, name: str, issuer: str = "", days: int = 2) -> None:
        """One for a server on this machine or a client, of `issuer`; without one: an authority."""
        subject = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]
        # RFC 5280 4.2.1.3, 4.2.1.9: Python 3.13 asks an authority for its key usage.
        extensions = LEAF if issuer else AUTHORITY
        signed = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else []
        command = ["openssl", "req", "-x509", *subject, *extensions, *signed, "-days", str(days), "-out", f"{name}.pem"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def make_expired(self, name: str, issuer: str) -> None:
        """One that was valid for a month of 2020: openssl 3.0 makes none that is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.load_pem_x509_certificate((self.folder / f"{issuer}.pem").read_bytes())
        authority_key = serialization.load_pem_private_key((self.folder / f"{issuer}.key").read_bytes(), None)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(authority.subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2020, 2, 1))  # noqa: DTZ001 - naive is UTC there
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = builder.add_extension(alternative, critical=False).sign(authority_key, hashes.SHA256())
        (self.folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))

    def client(self, name: str = "", version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """A client's context that trusts the authority."""
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        context.maximum_version = version
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


def make_certificates(folder: Path) -> Certificates:
    """`door` and `modality` of one authority, `foreign` of another, `expired` of the first and long over."""
    made = Certificates(folder)
    made.make("authority")
    made.make("stranger")
    made.make("door", "authority")
    made.make("modality", "authority")
    made.make("foreign", "stranger")
    made.make_expired("expired", "authority")
    return made
