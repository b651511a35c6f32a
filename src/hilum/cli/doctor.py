"""hilum doctor: what is in order on this machine and what is not, with the mend."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hilum.cli.configuring import Config, Data, configure
from hilum.cli.connecting import Json, existing
from hilum.cli.serve import Dimse, Http
from hilum.cli.telling import print_json, printable, say, styled

if TYPE_CHECKING:
    from datetime import datetime

    from hilum.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Answer:
    """One line: what was looked at, what was found, and what to do where it is not in order."""

    what: str
    found: str
    mend: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.mend


def run(data: Data = None, http: Http = None, dimse: Dimse = None, config: Config = None, json: Json = False) -> None:
    """Look at disk, ports, clock, versions, codecs and server; exit status 1 where something is not in order."""
    settings = configure(data, config, http=http, dimse=dimse)
    answers = [*_look_for_data(data, settings)]
    answers += [answer for look in LOOKS for answer in _look(look, settings)]
    if json:
        print_json([asdict(answer) | {"ok": answer.is_ok} for answer in answers])
    else:
        for answer in answers:
            say(_line(answer))
    if not all(answer.is_ok for answer in answers):
        raise typer.Exit(1)


def _look_for_data(named: Path | None, settings: "Settings") -> Iterator[Answer]:
    """A data directory that was named and is not there is more often a slip of the pen than a first start."""
    if settings.data.is_dir():
        yield Answer("data", f"{settings.data} is there")
    else:
        mend = "Name the directory of the server with --data; `hilum serve` makes a new one." if named is not None else ""
        yield Answer("data", f"{settings.data} is not there; the disk above it is looked at", mend)


def _look(look: "Look", settings: "Settings") -> Iterator[Answer]:
    """A look that fails is an answer too: whoever calls for a doctor wants all lines."""
    what = look.__name__.removeprefix("look_at_").replace("_", " ")
    try:
        yield from look(settings)
    except Exception as error:  # noqa: BLE001 - see above
        yield Answer(what, f"{type(error).__name__}: {error}", "Mend what it names, then ask again.")


def _line(answer: Answer) -> str:
    verdict = styled("ok    ", "good") if answer.is_ok else styled("not ok", "bad")
    mend = f" -> {printable(answer.mend)}" if answer.mend else ""
    return f"{verdict}  {answer.what:<12}  {printable(answer.found)}{mend}"


# --- what is looked at -------------------------------------------------------------------------------------------------------

LEAST_SYNCS = 100  # appends of 128 KB made durable a second: below, a modality waits for us
APPENDED_BYTES = 128 * 1024
LEAST_PYTHON = (3, 11)
RENEWED_BEFORE = timedelta(days=14)  # the end of a certificate
LEAST_SQLITE = (3, 35, 0)  # RETURNING


def look_at_disk(settings: "Settings") -> Iterator[Answer]:
    """Where packs lie: what kind of disk, its room, and how fast it makes bytes durable."""
    import shutil

    from hilum.runtime.holding import list_mounts, mount_of, refuse_network_file_system

    place = existing(settings.data)
    mount = mount_of(place, list_mounts())
    refuse_network_file_system(place)
    yield Answer("file system", f"{mount.file_system if mount else 'unknown'} at {place}")
    free = shutil.disk_usage(place).free
    mend = "" if free > settings.free_disk_bytes else "Free some space, or name another --data: nothing more is taken."
    yield Answer("free space", f"{free / 1e9:.1f} GB, {settings.free_disk_bytes / 1e9:.1f} GB of them are kept free", mend)
    rate = measure_syncs(place)
    mend = "" if rate >= LEAST_SYNCS else "Put the data directory on a faster local disk (SSD)."
    yield Answer("disk sync", f"{rate:,.0f} appends of 128 KB made durable a second", mend)


def measure_syncs(folder: Path, seconds: float = 0.5) -> float:
    """How often a second 128 KB are appended to a file and made durable: the limit of what one sender gets acknowledged."""
    import os
    import tempfile
    import time

    from hilum.stores.packs.disk import sync_durably

    piece = os.urandom(APPENDED_BYTES)
    with tempfile.TemporaryFile(dir=folder) as file:
        began_at, count = time.monotonic(), 0
        while (took := time.monotonic() - began_at) < seconds or count == 0:
            os.write(file.fileno(), piece)
            sync_durably(file.fileno())
            count += 1
        return count / took


def look_at_port(settings: "Settings") -> Iterator[Answer]:
    """Either our server answers there, or the port is free for it."""
    import http.client

    from hilum.cli.serve import parse_address
    from hilum.runtime.supervising import listen

    host, port = parse_address(settings.http)
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/ready")
        answered = connection.getresponse()
        yield _answer_of_server(settings.http, answered.status, answered.read())
    except ConnectionRefusedError:
        listen(host, port).close()
        yield Answer("server", f"none runs at {settings.http}, and the port is free")
    except (http.client.HTTPException, TimeoutError) as error:
        yield Answer("server", f"{settings.http} is used by another program ({error})", "End that program, or choose another --http.")
    finally:
        connection.close()


def _answer_of_server(http: str, status: int, body: bytes) -> Answer:
    import json

    try:
        said = json.loads(body)
        reasons = " ".join(said["reasons"])
    except (ValueError, KeyError, TypeError):
        return Answer("server", f"{http} is used by another program", "End that program, or choose another --http.")
    if status == 200:
        return Answer("server", f"answers at {http} and takes images")
    return Answer("server", f"answers at {http}: {reasons}", "Mend what it names.")


def look_at_dimse(settings: "Settings") -> Iterator[Answer]:
    """Whether our door answers C-ECHO, or its port is free for it; and whether every registered peer answers."""
    from hilum.cli.serve import OFF

    if settings.dimse == OFF:
        yield Answer("DIMSE door", "is off")
    else:
        yield _ask_own_door(settings)
    yield from _look_at_peers(settings)


def _ask_own_door(settings: "Settings") -> Answer:
    import ssl

    from hilum.cli.serve import parse_address
    from hilum.doors.dimse_requestor import Address, AssociationError, echo
    from hilum.runtime.asking_peers import own_tls
    from hilum.runtime.supervising import listen

    host, port = parse_address(settings.dimse)
    try:
        seconds = echo(Address(host, port, own_tls(settings)), settings.dimse_ae_title, settings.dimse_ae_title)
    except AssociationError as error:
        if isinstance(error.__cause__, ConnectionRefusedError):
            listen(host, port).close()
            return Answer("DIMSE door", f"none runs at {settings.dimse}, and the port is free")
        if isinstance(error.__cause__, ssl.SSLError):
            return Answer("DIMSE door", str(error), "Look at the certificates: a gateway's own should be good for a client, too.")
        return Answer("DIMSE door", str(error), error.mend)
    return Answer("DIMSE door", f"answers C-ECHO at {settings.dimse} after {seconds * 1000:.0f} ms")


def look_at_certificate(settings: "Settings") -> Iterator[Answer]:
    """How long the certificates of the DIMSE door are valid."""
    from datetime import UTC, datetime

    from cryptography import x509

    for what, path in (("certificate", settings.dimse_tls_certificate), ("authorities", settings.dimse_tls_ca)):
        for one in [] if path is None else x509.load_pem_x509_certificates(path.read_bytes()):
            left = one.not_valid_after_utc - datetime.now(UTC)
            when = f"{one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            if left <= timedelta():
                yield Answer(what, f"{path} has expired on {when}", "Renew it: peers refuse it.")
            else:
                mend = f"Renew it within {left.days} days." if left < RENEWED_BEFORE else ""
                yield Answer(what, f"{path} is valid until {when}", mend)


def _look_at_peers(settings: "Settings") -> Iterator[Answer]:
    from hilum.model.identity import SYSTEM
    from hilum.runtime.asking_peers import echo_peer
    from hilum.runtime.assembling import assemble

    if not _has_ledger(settings):
        return
    app = assemble(settings)
    try:
        for peer in app.peers.list_peers(SYSTEM):
            answer = echo_peer(peer, settings)
            found = f"{peer.name} answers C-ECHO" if answer.seconds is not None else f"{peer.name} does not answer"
            yield Answer("peer", found, answer.why)
    finally:
        app.close()


def _has_ledger(settings: "Settings") -> bool:
    return bool(settings.database) or (settings.data / "ledger.sqlite").exists()


def look_at_clock(settings: "Settings") -> Iterator[Answer]:
    """The clock may not have been set back behind what the ledger has seen."""
    import datetime as time

    now = time.datetime.now(time.UTC)
    newest = _newest_move_at(settings)
    if newest is not None and newest > now:
        yield Answer("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, before the newest move {newest:%Y-%m-%d %H:%M:%S}", "Set the clock (NTP).")
    else:
        yield Answer("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _newest_move_at(settings: "Settings") -> "datetime | None":
    from hilum.model.identity import SYSTEM
    from hilum.runtime.assembling import assemble
    from hilum.stores.ledger import MoveFilter

    if not _has_ledger(settings):
        return None
    app = assemble(settings)
    try:
        return next((move.at for move in app.ledger.list_moves(SYSTEM, MoveFilter(), limit=1)), None)
    finally:
        app.close()


def look_at_versions(settings: "Settings") -> Iterator[Answer]:  # noqa: ARG001 - every look is asked alike
    """Python and SQLite."""
    import sqlite3

    python = ".".join(map(str, sys.version_info[:3]))
    yield Answer("Python", python, "" if sys.version_info >= LEAST_PYTHON else "Install Python 3.11 or newer.")
    mend = "" if sqlite3.sqlite_version_info >= LEAST_SQLITE else "Use a Python with SQLite 3.35 or newer."
    yield Answer("SQLite", sqlite3.sqlite_version, mend)


def look_at_keys(settings: "Settings") -> Iterator[Answer]:
    """Whether every project has the key that its de-identification needs; templates belong to the site, so one asks of all projects."""
    from hilum.model.identity import SYSTEM
    from hilum.runtime.assembling import assemble
    from hilum.runtime.profiles import profiles

    if not _has_ledger(settings):
        return
    app, known = assemble(settings), profiles(settings)
    try:
        named = {template.name: template.deidentification for template, _ in app.templates.newest(SYSTEM)}
        projects = [project.name for project in app.access.list_projects(SYSTEM)]
    finally:
        app.close()
    for template, profile in named.items():
        if profile not in known:
            yield Answer("profile", f"template {template} names {profile!r}, which is not there", f"Known are {', '.join(sorted(known))}.")
    in_need = [template for template, profile in named.items() if profile in known and not known[profile].changes_nothing]
    if in_need:
        yield from (_look_at_key(settings, project, in_need[0]) for project in projects)


def _look_at_key(settings: "Settings", project: str, template: str) -> Answer:
    from hilum.model.errors import HilumError
    from hilum.runtime.keys import open_keys

    try:
        found = open_keys(settings).find(project)
    except HilumError as error:
        return Answer("key", error.sentence, error.mend)
    if found:
        return Answer("key", f"project {project} works with {found[-1].id}")
    mend = f"Bring it back from a copy, or make the first one with `hilum key create {project}`."
    return Answer("key", f"project {project} has none, and template {template} needs one", mend)


CODECS = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.5": "RLE lossless",
}
"""PS3.5 10: compressed transfer syntaxes whose decoders come with hilum; thumbnails and image quality need them."""

EXTRA_CODECS = {"1.2.840.10008.1.2.4.70": "JPEG lossless"}
"""Those whose decoder has a licence of its own: `pip install pylibjpeg-libjpeg` adds it. dcm2niix reads them without."""


def look_at_codecs(settings: "Settings") -> Iterator[Answer]:  # noqa: ARG001 - every look is asked alike
    """What images can be made visible."""
    for uid, name in CODECS.items():
        yield Answer("codec", name, "" if _is_decoded(uid) else "Install the packages that hilum depends on (pylibjpeg, pyjpegls).")
    for uid, name in EXTRA_CODECS.items():
        yield Answer("codec", name if _is_decoded(uid) else f"{name} is not shown here; pylibjpeg-libjpeg (GPL) would add it")


def _is_decoded(uid: str) -> bool:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    return bool(get_decoder(UID(uid)).is_available)


def look_at_dcm2niix(settings: "Settings") -> Iterator[Answer]:  # noqa: ARG001 - every look is asked alike
    """The program that makes NIfTI."""
    import subprocess

    import dcm2niix

    said = subprocess.run([dcm2niix.bin, "-v"], capture_output=True, text=True, timeout=20, check=False)
    version = next((line for line in said.stdout.splitlines()[::-1] if line.startswith("v")), "")
    yield Answer("dcm2niix", version or "says no version", "" if version else "Install the package dcm2niix again.")


Look = Callable[["Settings"], Iterator[Answer]]
LOOKS: tuple[Look, ...] = (
    *(look_at_versions, look_at_disk, look_at_port, look_at_dimse, look_at_certificate, look_at_clock, look_at_keys),
    *(look_at_codecs, look_at_dcm2niix),
)
