"""Hostile inputs at the upload door, each with its real bytes (numbers: reference/reliability.md).

What is acknowledged is imported, or set aside with its bytes and a reason; what is refused leaves nothing; and the server goes on.
"""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hilum.model.identity import SYSTEM


@pytest.fixture(scope="module")
def image(shared_data: Path) -> bytes:
    """A real slice."""
    return sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))[0].read_bytes()


@pytest.fixture
def sent(site, uploading):
    """Sends files in one upload and does the work: (upload, what was set aside by file name)."""

    def send(files: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        project = site.project()
        upload = uploading(project)
        for name, body in files.items():
            reply = upload.put(name, body)
            assert reply.status_code == 201, reply.text
        found = upload.finish()
        aside = {one["file_name"]: one for one in upload.client.get(f"/set-aside?project={project}").json()["items"]}
        counts = found["counts"]
        assert counts["received"] == sum(counts[key] for key in ("imported", "already_held", "set_aside", "conflicts", "skipped"))
        for name, one in aside.items():
            reply = upload.client.get(f"/set-aside/{one['id']}/content")
            assert reply.content == files[name]
            assert reply.headers["content-type"] == "application/octet-stream"
            assert reply.headers["content-disposition"].startswith("attachment;")
            assert f"{name}: {one['reason']}" in found["errors"]
        assert upload.client.get("/health").status_code == 200
        return found, aside

    return send


def altered(image: bytes, **attributes: Any) -> bytes:
    """The slice with other attributes, written by pydicom as it is told."""
    data_set = pydicom.dcmread(io.BytesIO(image))
    with pydicom.config.disable_value_validation():
        for keyword, value in attributes.items():
            setattr(data_set, keyword, value)
        buffer = io.BytesIO()
        data_set.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


def explicit(*elements: tuple[int, int, bytes, bytes]) -> bytes:
    """A Part 10 object in explicit VR little endian, with exactly these bytes."""
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    head = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    return head + b"".join(struct.pack("<HH2s", group, element, vr) + rest for group, element, vr, rest in elements)


def test_16_a_deflate_bomb_is_set_aside_without_filling_memory(sent):
    """300 MB and 3 GB of zeros behind a deflated data set (PS3.5 A.5)."""
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", 22) + DeflatedExplicitVRLittleEndian.encode().ljust(22, b"\0")
    head = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    packer, body = zlib.compressobj(9, wbits=-15), bytearray()
    body += packer.compress(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + b"\x09\x00\x10\x10UT\0\0" + struct.pack("<I", 300 << 20))
    for _ in range(300):
        body += packer.compress(bytes(1 << 20))
    bomb = head + bytes(body) + packer.flush()
    assert len(bomb) < 400_000
    found, aside = sent({"bomb.dcm": bomb})
    assert list(aside) == ["bomb.dcm"]
    assert found["outcome"] == "failed"


@pytest.mark.parametrize("vr", [b"LO", b"OW"])
def test_17_a_length_beyond_the_file_is_set_aside(sent, vr):
    rest = struct.pack("<H", 0xFFFE) if vr == b"LO" else struct.pack("<HI", 0, 0xFFFFFFFE)
    _, aside = sent({"long.dcm": explicit((0x0008, 0x0005, b"CS", struct.pack("<H", 0)), (0x0010, 0x0010, vr, rest))})
    assert list(aside) == ["long.dcm"]


def test_18_and_19_an_image_cut_anywhere_is_never_complete(sent, image):
    cuts = [*range(1024, 16 * 1024, 1024), len(image) // 2, len(image) - 2]
    found, aside = sent({f"{cut}.dcm": image[:cut] for cut in cuts})
    assert set(aside) == {f"{cut}.dcm" for cut in cuts}
    assert found["counts"]["imported"] == 0


def test_18_a_sequence_without_its_end_is_set_aside(sent):
    endless = explicit((0x0008, 0x1115, b"SQ", struct.pack("<HI", 0, 0xFFFFFFFF) + b"\xfe\xff\x00\xe0" + struct.pack("<I", 0xFFFFFFFF)))
    assert list(sent({"endless.dcm": endless})[1]) == ["endless.dcm"]


@pytest.mark.parametrize("magic", [b"MZ\x90\x00", b"\x7fELF\x02\x01\x01", b"PK\x03\x04", b"II*\x00"])
def test_20_a_preamble_that_is_a_program_is_kept_verbatim_and_never_served_as_one(site, sent, image, magic):
    """PS3.10 7.1: 128 bytes that anybody may use; GE's are legitimate."""
    body = magic.ljust(128, b"\0") + image[128:]
    found, aside = sent({"image.dcm": body})
    assert (found["counts"]["imported"], aside) == (1, {})
    (series,) = site.client().get(f"/series?study={found['studies'][0]['id']}").json()["items"]
    (instance,) = site.app.catalogue.instances_of(SYSTEM, site.app.catalogue.find_series(SYSTEM, series["id"]))
    assert site.app.vault.read(instance.stored) == body


@pytest.mark.parametrize("declared", [ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian])
def test_21_a_wrong_transfer_syntax_does_not_stop_the_door(sent, image, declared):
    true = pydicom.dcmread(io.BytesIO(image)).file_meta.TransferSyntaxUID.encode()
    padded = lambda uid: uid + b"\0" * (len(uid) % 2)  # noqa: E731
    at = image.index(padded(true), 132)
    length = struct.pack("<H", len(padded(declared.encode())))
    wrong = image[: at - 2] + length + padded(declared.encode()) + image[at + len(padded(true)) :]
    found, aside = sent({"wrong.dcm": wrong})
    assert found["counts"]["imported"] + len(aside) == 1


def test_21_no_preamble_and_no_meta_are_recognised_by_their_content(sent, image):
    folder = Path(pydicom.data.__file__).parent / "test_files"
    names = ("ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm", "no_meta.dcm", "rtplan.dcm")
    _, aside = sent({name: (folder / name).read_bytes() for name in names} | {"no preamble": image[132:]})
    for one in aside.values():
        assert one["reason"]


def test_22_private_creators_that_collide_and_unknown_sequences_are_kept(site, sent, image):
    data_set = pydicom.dcmread(io.BytesIO(image))
    data_set.private_block(0x0011, "HILUM A", create=True).add_new(0x01, "LO", "a")
    data_set.add_new(0x00110011, "LO", "HILUM A")
    data_set.add_new(0x00111101, "UN", b"\xfe\xff\x00\xe0\xff\xff\xff\xff")
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    found, aside = sent({"private.dcm": buffer.getvalue()})
    assert found["counts"]["imported"] + len(aside) == 1


@pytest.mark.parametrize("uid", ["../../etc/x", "C:\\x", "1." + "2" * 70, "", "1.2\0.3", "1.02.3", "a.b"])
def test_23_an_invalid_uid_is_set_aside_and_becomes_no_path(site, sent, image, uid):
    body = altered(image, SOPInstanceUID=uid)
    found, aside = sent({"odd.dcm": body})
    assert "SOPInstanceUID" in aside["odd.dcm"]["reason"]
    assert found["errors"][0] == "No DICOMs found in the upload."
    assert sorted(path.suffix for path in site.app.settings.packs.iterdir()) == [".tar"] * len(list(site.app.settings.packs.iterdir()))


# --- archives -------------------------------------------------------------------------------------------------------------------


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in entries:
            archive.writestr(name, body)
    return buffer.getvalue()


def link(name: str, target: bytes) -> bytes:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return zip_of((entry, target))


def nested(depth: int, body: bytes) -> bytes:
    for number in range(depth):
        body = zip_of((f"{number}.zip", body), method=zipfile.ZIP_DEFLATED)
    return body


def encrypted(body: bytes) -> bytes:
    archive = bytearray(zip_of(("a.dcm", body)))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


def forged(body: bytes) -> bytes:
    archive = bytearray(zip_of(("a.dcm", body)))
    archive[22:26] = struct.pack("<I", 10)
    return bytes(archive)


def overlapping() -> bytes:
    """Two rows of the directory for one entry: what zip bombs of the better sort are made of."""
    archive = zip_of(("a.dcm", b"x" * 100))
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    row = archive[start:end]
    return archive[:end] + row + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, 2 * len(row), start, 0)


HOSTILE_ARCHIVES = {
    "28 a path that leads out": lambda image: zip_of(("ok.dcm", image), ("../../etc/cron.d/x", image)),
    "28 an absolute path": lambda image: zip_of(("ok.dcm", image), ("/etc/passwd", image)),
    "28 a drive": lambda image: zip_of(("C:/x", image)),
    "28 a backslash": lambda image: zip_of(("ok.dcm", image)).replace(b"ok.dcm", b"..\\x.d"),
    "28 a link": lambda image: link("link", b"/etc/passwd"),
    "28 names that differ in case only": lambda image: zip_of(("A.dcm", image), ("a.dcm", image)),
    "29 archives in archives": lambda image: nested(6, image),
    "29 a bomb": lambda image: zip_of(("zeros", bytes(300 << 20)), method=zipfile.ZIP_DEFLATED),
    "29 overlapping entries": lambda image: overlapping(),
    "29 a forged size": forged,
    "31 an encrypted entry": encrypted,
    "31 a truncated archive": lambda image: zip_of(("ok.dcm", image))[:-30],
    "31 an archive without entries": lambda image: zip_of(),
}


@pytest.mark.parametrize("kind", HOSTILE_ARCHIVES)
def test_a_hostile_archive_is_refused_whole(site, uploading, image, kind):
    archive = HOSTILE_ARCHIVES[kind](image)
    project = site.project()
    client = site.client()
    whole = client.post(f"/uploads/archive?project={project}", content=archive)
    assert (whole.status_code, whole.headers["content-type"]) == (422, "application/problem+json"), whole.text
    assert whole.json()["mend"] and whole.json()["reason"]
    assert client.get(f"/log?project={project}").json()["items"] == []  # there never was an upload
    upload = uploading(project)
    assert upload.put("study.zip", archive).status_code == 422
    assert upload.put("good.dcm", image).status_code == 201
    found = upload.finish()
    assert found["counts"] | {"received": 1, "imported": 1} == found["counts"]
    assert not [path for path in site.app.settings.data.rglob("*") if path.name in ("x", "passwd", "link")]


@pytest.mark.parametrize("files", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_30_many_tiny_files_are_all_accounted_for(site, files):
    """As the entries of one archive, none of them DICOM."""
    archive = zip_of(*((f"{number}.txt", b"%d" % number) for number in range(files)), method=zipfile.ZIP_DEFLATED)
    client = site.client()
    reply = client.post(f"/uploads/archive?project={site.project()}", content=archive)
    assert reply.status_code == 202
    site.work()
    found = client.get(f"/uploads/{reply.json()['id']}").json()
    assert (found["step"], found["outcome"], found["errors"][0]) == ("Finished", "failed", "No DICOMs found in the upload.")
    assert found["counts"]["set_aside"] == files


def test_31_odd_but_honest_archives_are_taken(site, image):
    """zip64, names that are no UTF-8, an archive in an archive."""
    client = site.client()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open(zipfile.ZipInfo("big.dcm"), "w", force_zip64=True) as entry:
        entry.write(image)
    odd = zip_of(("bild.dcm", image)).replace(b"bild.dcm", b"b\x81ld.dcm")
    for body in (buffer.getvalue(), odd, nested(3, image)):
        reply = client.post(f"/uploads/archive?project={site.project()}", content=body)
        assert (reply.status_code, reply.json().get("counts", {}).get("received")) == (202, 1), reply.text
        site.work()
        assert client.get(f"/uploads/{reply.json()['id']}").json()["counts"]["imported"] == 1


def test_31_a_dicomdir_that_points_elsewhere_is_skipped(sent, image):
    folder = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    dicomdir = (folder / "DICOMDIR").read_bytes()
    evil = dicomdir.replace(b"77654033", b"../../et")
    found, aside = sent({"DICOMDIR": evil, "image.dcm": image})
    assert (found["counts"]["skipped"], found["counts"]["imported"], aside) == (1, 1, {})


def test_empty_files_and_files_that_are_no_images_are_set_aside_with_the_reason(sent, image):
    files = {"empty": b"", "README.txt": b"Dear doctor", "page.html": b"<img src=x onerror=alert(1)>", "image.dcm": image}
    found, aside = sent(files)
    assert set(aside) == {"empty", "README.txt", "page.html"}
    assert "0 bytes" in aside["empty"]["reason"]
    assert found["counts"]["imported"] == 1
