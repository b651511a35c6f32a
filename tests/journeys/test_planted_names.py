"""A patient's name planted wherever images hold one, through a real server with profile basic: only the originals and the ledger's
tables of originals know it afterwards (the tables: tests/stages/test_deidentifying.py)."""

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from planting import GIVEN, NAME, NUMBER, PLANTERS, leaks
from pypdf import PdfReader

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum

_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"sRGB", b"gAMA"}


@pytest.fixture
def sent(hilum: Hilum, project: str, server: PrivateServer, patient01: Path) -> str:
    """A real study with the name in it, sent to a template of this project that de-identifies; returns the upload's id."""
    for number, file in enumerate(sorted(patient01.rglob("*.dcm"))):
        image = pydicom.dcmread(file)
        image.PatientName, image.PatientID = f"{NAME}^{GIVEN}", NUMBER
        for name in ("free_texts", "private_of_every_vr", "overlays_and_curves", "requests_and_people", "original_attributes"):
            PLANTERS[name][0](image)
        image.SeriesDescription = f"T1 of {NAME}" if "t1" in str(file) else f"FLAIR of {NAME}"
        image.save_as(file.with_name(f"{NAME}-{number}.dcm"))
        file.unlink()
    processing = [{"processor": "dcm2niix"}, {"processor": "image_quality"}]
    described = {"name": f"t_{project}", "active": False, "deidentification": "basic", "processing": processing}
    hilum.templates.create({**described, "destinations": [{"destination": "folder"}]})
    upload = hilum.uploads.upload_folder(patient01, project=project, report_type=f"t_{project}", progress=False)
    upload = hilum.uploads.wait(upload.id, timeout=180)
    assert (upload.step, upload.outcome) == ("Finished", "succeeded")
    return upload.id


def test_a_planted_name_is_in_nothing_that_leaves_or_is_told(hilum: Hilum, sent: str, server: PrivateServer, project: str) -> None:
    with httpx.Client(headers={"authorization": f"Bearer {server.token}"}) as client:
        told = {"metrics": client.get(f"{server.url}/api/v1/metrics").content, "events": _events(client, server.url)}
        pictures = [_picture(client, server.url, one.id) for one in hilum.series.list() if one.description.endswith(NAME)]
    assert [what for what, content in told.items() if leaks(content)] == []
    assert b"hilum_" in told["metrics"]
    assert b"deidentifying" in told["events"]
    assert pictures
    assert [picture for picture in pictures if leaks(picture) or set(_chunks(picture)) - _PICTURE] == []
    folder = server.log.parent
    files = [path for path in folder.rglob("*") if path.is_file() and not _holds_originals(path)]
    assert {_kind(path) for path in files if path.suffix == ".tar"} == {"deidentified", "results"}
    results = [path for path in files if "delivered" in str(path)]
    assert {path.suffix for path in results} >= {".gz", ".json", ".pdf"}
    assert [path for path in files if leaks(_readable(path) + str(path.relative_to(folder)).encode())] == []


def _holds_originals(path: Path) -> bool:
    return path.name.startswith("ledger.sqlite") or (path.suffix == ".tar" and _kind(path) == "received")


def _kind(pack: Path) -> str:
    with tarfile.open(pack) as members:
        return str(json.loads(next(iter(members)).pax_headers["comment"])["kind"])


def _events(client: httpx.Client, url: str) -> bytes:
    """What was told from the beginning on."""
    said = b""
    with client.stream("GET", f"{url}/api/v1/events", headers={"last-event-id": "0-0"}, timeout=20) as reply:
        for chunk in reply.iter_bytes():
            said += chunk
            if b"delivering" in said and b"finished" in said:
                break
    return said


def _picture(client: httpx.Client, url: str, series: str) -> bytes:
    return client.get(f"{url}/api/v1/series/{series}/thumbnail.png").content


def _chunks(picture: bytes) -> Iterator[bytes]:
    """PNG 5.3: the kinds of its chunks; text would be in tEXt, zTXt, iTXt and eXIf."""
    at = 8
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        yield picture[at + 4 : at + 8]
        at += length + 12


def _readable(path: Path) -> bytes:
    """A file with what it holds packed."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content += gzip.decompress(content)
    if path.suffix == ".pdf":
        content += "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).encode()
    return content
