"""The upload door: start, files, offer, complete, archive, and how an upload stands."""

import base64
import hashlib
import io
import socket
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from hilum.api.bodies import announced_sha256
from hilum.model.errors import InvalidError
from hilum.model.identity import SYSTEM, Role


def digest_of(body: bytes) -> dict[str, str]:
    """Content-Digest, RFC 9530."""
    return {"content-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def streamed_zip(files: dict[str, bytes], method: int) -> bytes:
    """As a program writes it that cannot seek: lengths stand behind the entries."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for name, body in files.items():
            with archive.open(name, "w") as entry:
                entry.write(body)
    return pipe.getvalue()


@pytest.fixture(scope="module")
def slices(shared_data: Path) -> list[bytes]:
    """The 36 slices of a FLAIR series."""
    return [path.read_bytes() for path in sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))]


# --- starting --------------------------------------------------------------------------------------


def test_an_unknown_report_type_is_refused_before_any_byte(site, uploading):
    client = site.client()
    reply = client.post("/uploads", json={"project": site.project(), "report_type": "brain_sm"})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid")
    assert "brain_ms" in reply.json()["mend"]
    assert client.post("/uploads", json={"project": "nowhere"}).status_code == 404
    assert client.post("/uploads", json={"project": site.project(), "report_typ": "nifti"}).json()["detail"].startswith("body.report_typ:")


def test_a_body_that_is_no_json_is_told_as_that(site):
    with site.client() as client:
        reply = client.post("/uploads", content=b"x{", headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["detail"]) == (422, "The body is no JSON; it cannot be read from character 0 on.")


def test_a_change_asked_for_twice_is_made_once(site):
    client, project = site.client(), site.project()
    first, again = (client.post("/uploads", json={"project": project}, headers={"idempotency-key": "k1-" + project}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = client.post("/uploads", json={"project": project, "dataset": "d"}, headers={"idempotency-key": "k1-" + project})
    assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)
    stranger = site.client(site.token(project, Role.OPERATOR))
    assert (
        stranger.post("/uploads", json={"project": project}, headers={"idempotency-key": "k1-" + project}).json()["id"]
        != first.json()["id"]
    )


def test_what_failed_can_be_asked_again_with_the_same_key(site, uploading):
    upload = uploading(site.project())
    key = {"idempotency-key": upload.id}
    complete = lambda: upload.client.post(f"/uploads/{upload.id}/complete", json={"expected_files": 1}, headers=key)  # noqa: E731
    assert complete().status_code == 409
    upload.put("a", b"x")
    assert complete().status_code == 202


# --- files -----------------------------------------------------------------------------------------


def test_a_file_is_told_with_its_size_and_digest_and_is_durable(site, uploading, slices):
    upload = uploading(site.project())
    reply = upload.put("flair/1.dcm", slices[0], headers=digest_of(slices[0]))
    expected = {"name": "flair/1.dcm", "size": len(slices[0]), "sha256": hashlib.sha256(slices[0]).hexdigest()}
    assert (reply.status_code, reply.json()) == (201, expected)
    assert upload.client.get(f"/uploads/{upload.id}/files").json() == {"items": [expected], "next": None}
    (member,) = site.app.intakes.next_received(SYSTEM, upload.id, 10)
    assert site.app.vault.read(member.stored) == slices[0]


@pytest.mark.parametrize("size", [0, 1, 100_000, (4 << 20) + 1, 9 << 20])
def test_bytes_of_any_size_are_kept_verbatim(site, uploading, size):
    upload, body = uploading(site.project()), bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    assert upload.put("some.bin", body, headers=digest_of(body)).json()["size"] == size
    (member,) = site.app.intakes.next_received(SYSTEM, upload.id, 10)
    assert b"".join(site.app.vault.stream(member.stored)) == body


def test_a_body_without_a_length_is_streamed(site, uploading, slices):
    upload = uploading(site.project())
    reply = upload.client.put(f"/uploads/{upload.id}/files/a", content=iter([slices[0][:1000], slices[0][1000:]]))
    assert (reply.status_code, reply.json()["size"]) == (201, len(slices[0]))


@pytest.mark.parametrize("size", [1000, 5 << 20])
def test_a_wrong_digest_is_refused_and_nothing_is_kept(site, uploading, size):
    upload, body = uploading(site.project()), b"x" * size
    reply = upload.put("a.dcm", body, headers=digest_of(b"other"))
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/digest-mismatch")
    assert upload.client.get(f"/uploads/{upload.id}/files").json()["items"] == []
    assert upload.look()["counts"]["received"] == 0
    assert upload.put("a.dcm", body, headers=digest_of(body)).status_code == 201


def test_only_a_digest_that_can_be_read_is_taken():
    digest = base64.b64encode(bytes(32)).decode()
    read = lambda value: announced_sha256(Headers({"content-digest": value}))  # noqa: E731
    assert read(f"sha-512=:{digest}:, sha-256=:{digest}:") == bytes(32)
    assert read(f"sha-512=:{digest}:") is None
    for odd in (digest, f":{digest[:-4]}:", ":?:", "::", ""):
        with pytest.raises(InvalidError):
            read(f"sha-256={odd}")


@pytest.mark.parametrize("size", [1000, 5 << 20])
def test_the_same_name_takes_the_same_bytes_again_and_no_others(site, uploading, size):
    upload, body = uploading(site.project()), b"a" * size
    assert [upload.put("a", body).status_code for _ in range(3)] == [201, 201, 201]
    assert upload.put("a", b"b" * size).status_code == 409
    assert upload.look()["counts"]["received"] == 1


def test_a_name_taken_before_a_restart_is_known(site, uploading):
    upload = uploading(site.project())
    upload.put("a", b"first")
    upload.client.post(f"/uploads/{upload.id}/offer", json={"files": []})  # makes the server look at the ledger again
    assert (upload.put("a", b"first").status_code, upload.put("a", b"other").status_code) == (201, 409)


def test_many_files_at_once_are_all_kept_once(site, uploading, slices):
    upload = uploading(site.project())
    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda n: upload.put(f"{n}.dcm", slices[n % 36] + bytes([n % 256, n // 256])), range(300)))
    assert {reply.status_code for reply in replies} == {201}
    assert upload.complete(expected_files=300).status_code == 202
    assert upload.look()["counts"]["received"] == 300


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x", "ä/ö  ü.dcm", "<img src=x onerror=alert(1)>", "a" * 1000])
def test_a_name_is_a_label_and_never_a_path(site, uploading, name):
    upload = uploading(site.project())
    url = f"{site.url}/api/v1/uploads/{upload.id}/files/"
    from urllib.parse import quote

    reply = upload.client.put(url + quote(name, safe=""), content=b"x")
    assert (reply.status_code, reply.json()["name"]) == (201, name)
    assert not (site.app.settings.data / "etc").exists()


@pytest.mark.parametrize("name", ["", "a" * 1025, "a%00b", "a%0Ab"])
def test_a_name_that_cannot_be_listed_is_refused(site, uploading, name):
    upload = uploading(site.project())
    assert upload.client.put(f"{site.url}/api/v1/uploads/{upload.id}/files/{name}", content=b"x").status_code in (404, 422)


def test_a_compressed_body_is_not_guessed_at(site, uploading):
    upload = uploading(site.project())
    assert upload.put("a", b"x", headers={"content-encoding": "gzip"}).status_code == 415


def test_a_body_of_four_gigabytes_too_many_is_refused_at_its_announcement(site, uploading):
    upload = uploading(site.project())
    with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as connection:
        head = f"PUT /api/v1/uploads/{upload.id}/files/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-administrators-token\r\n"
        connection.sendall(f"{head}Content-Length: {1 << 60}\r\n\r\n".encode())
        reply = connection.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 413 ") and b"connection: close" in reply


def test_a_sender_that_breaks_off_leaves_nothing(site, uploading, slices):
    upload = uploading(site.project())
    head = f"PUT /api/v1/uploads/{upload.id}/files/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-administrators-token\r\n"
    for length in (len(slices[0]) + 1, 100 << 20):
        with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as connection:
            connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + slices[0])
    assert upload.put("a", slices[0]).status_code == 201  # the name is free, and so is every pack
    assert upload.look()["counts"]["received"] == 1


# --- offering and completing -----------------------------------------------------------------------


def test_what_the_project_holds_need_not_be_sent_again(site, uploading, slices):
    project = site.project()
    first = uploading(project, report_type="nifti")
    for number, body in enumerate(slices):
        first.put(f"{number}", body)
    assert first.finish()["outcome"] == "succeeded"
    offered = [{"name": f"{n}", "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for n, body in enumerate(slices)]
    new = {"name": "new", "size": 3, "sha256": hashlib.sha256(b"new").hexdigest()}

    second = uploading(project, report_type="nifti")
    reply = second.client.post(f"/uploads/{second.id}/offer", json={"files": [*offered, new]})
    assert reply.json() == {"wanted": ["new"]}
    assert second.put("0", b"other bytes than offered").status_code == 409
    second.put("new", b"new")
    assert second.complete(expected_files=37).status_code == 202
    site.work()
    found = second.look()
    assert (found["counts"]["already_held"], found["counts"]["set_aside"]) == (36, 1)
    # What was asked for is done already: the earlier results answer.
    assert (found["step"], found["outcome"]) == ("Finished", "succeeded")
    assert found["studies"][0]["workitems"] == first.look()["studies"][0]["workitems"]
    # Another project does not learn of it.
    other = uploading(site.project())
    assert len(other.client.post(f"/uploads/{other.id}/offer", json={"files": offered}).json()["wanted"]) == 36


def test_completing_names_the_missing_count_and_leaves_the_upload_open(site, uploading):
    upload = uploading(site.project())
    upload.put("a", b"x")
    reply = upload.complete(expected_files=3)
    assert (reply.status_code, "2 of 3 files are missing" in reply.json()["detail"]) == (409, True)
    assert upload.look()["step"] == "Uploading"
    upload.put("b", b"y")
    assert [upload.complete(expected_files=2).status_code for _ in range(2)] == [202, 202]


def test_a_complete_upload_takes_no_more(site, uploading):
    upload = uploading(site.project())
    upload.put("a", b"x")
    upload.complete()
    assert upload.put("b", b"y").status_code == 409
    assert upload.client.post(f"/uploads/{upload.id}/offer", json={"files": []}).status_code == 409
    assert upload.look()["step"] == "Importing"


def test_files_that_race_with_completing_are_imported_or_refused_never_lost(site, uploading, slices):
    upload = uploading(site.project())
    upload.put("0", slices[0])
    with ThreadPoolExecutor(10) as threads:
        sent = [threads.submit(upload.put, f"{n + 1}", body) for n, body in enumerate(slices[1:])]
        assert upload.complete().status_code == 202
    kept = 1 + sum(one.result().status_code == 201 for one in sent)
    assert {one.result().status_code for one in sent} <= {201, 409}
    site.work()
    counts = upload.look()["counts"]
    assert (counts["received"], counts["imported"]) == (kept, kept)


def test_what_becomes_durable_after_completing_elsewhere_is_imported_after_all(site, uploading, slices):
    """Another web process may complete an upload while this one stores a file of it."""
    upload = uploading(site.project())
    upload.put("0", slices[0])
    site.app.intakes.complete(SYSTEM, upload.id)
    site.work()
    assert upload.put("1", slices[1]).status_code in (201, 409)  # this process remembers the upload for a moment
    site.work()
    counts = upload.look()["counts"]
    assert counts["received"] == counts["imported"]


# --- archives --------------------------------------------------------------------------------------


def test_a_zip_among_the_files_is_expanded(site, uploading, slices):
    upload = uploading(site.project(), report_type="nifti")
    inner = zipped({f"b/{n}.dcm": body for n, body in enumerate(slices[18:])})
    archive = zipped({**{f"a/{n}": body for n, body in enumerate(slices[:18])}, "inner": inner}, zipfile.ZIP_STORED)
    assert [upload.put("study.zip", archive, headers=digest_of(archive)).status_code for _ in range(2)] == [201, 201]
    assert upload.complete(expected_files=1).status_code == 202
    site.work()
    found = upload.look()
    assert (found["counts"]["imported"], found["outcome"]) == (36, "succeeded")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_written_to_a_pipe_is_read_all_the_same(site, slices, method):
    client, project = site.client(), site.project()
    archive = streamed_zip({f"{n}.dcm": body for n, body in enumerate(slices)}, method)
    reply = client.post(f"/uploads/archive?project={project}", content=archive)
    assert reply.status_code == 202, reply.text
    assert reply.json()["counts"]["received"] == 36


def test_an_archive_that_needs_a_file_late_is_asked_for_again(site, slices):
    """Its first entry states its length; only a later one does not."""
    client, project = site.client(), site.project()
    buffer = io.BytesIO(zipped({"first": slices[0]}, zipfile.ZIP_STORED))
    whole = mixed_zip(slices[:3])
    assert buffer.getvalue()[:4] == whole[:4]
    replies = [client.post(f"/uploads/archive?project={project}", content=whole) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [503, 202], replies[-1].text
    assert replies[0].headers["retry-after"] == "1"
    assert replies[1].json()["counts"]["received"] == 3


def mixed_zip(bodies: list[bytes]) -> bytes:
    """A stored entry with its length before it, then stored entries with theirs behind (APPNOTE 4.4.4, bit 3)."""
    import zlib

    out, rows = bytearray(), []
    for number, body in enumerate(bodies):
        name, crc, flags = b"%d" % number, zlib.crc32(body), 0 if number == 0 else 8
        known = (crc, len(body), len(body)) if not flags else (0, 0, 0)
        rows.append(
            struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, flags, 0, 0, 0, crc, len(body), len(body), len(name), 0, 0, 0, 0, 0, len(out))
            + name
        )
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, 0, 0, 0, *known, len(name), 0) + name + body
        out += struct.pack("<4s3I", b"PK\7\x08", crc, len(body), len(body)) if flags else b""
    start, directory = len(out), b"".join(rows)
    return bytes(out) + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(rows), len(rows), len(directory), start, 0)


def test_an_archive_is_one_whole_upload(site, slices):
    client, project = site.client(), site.project()
    archive = zipped({f"{n}.dcm": body for n, body in enumerate(slices)})
    path = f"/uploads/archive?project={project}&report_type=nifti&dataset=trial"
    key = {"idempotency-key": project, **digest_of(archive)}
    first, again = (client.post(path, content=archive, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 202, first.json()["id"])
    site.work()
    found = client.get(f"/uploads/{first.json()['id']}").json()
    assert (found["outcome"], found["studies"][0]["datasets"]) == ("succeeded", ["trial"])
    assert client.get(f"/uploads/{found['id']}/files").json()["items"][0]["sha256"] == hashlib.sha256(archive).hexdigest()


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 422), ("project=nowhere", 404), ("project=admin&report_type=none", 422), ("project=admin&force_reprocessing=perhaps", 422)],
)
def test_an_archive_that_asks_for_nonsense_is_refused(site, query, status):
    assert site.client().post(f"/uploads/archive?{query}", content=zipped({"a": b"x"})).status_code == status


# --- real archives ---------------------------------------------------------------------------------


def test_the_real_zips_are_taken(site, shared_data):
    client = site.client()
    archives = sorted((shared_data / "zips").rglob("*.zip"))
    assert archives
    for path in archives:
        reply = client.post(f"/uploads/archive?project={site.project()}", content=path.read_bytes())
        assert reply.status_code == 202, (path, reply.text)
        site.work()
        found = client.get(f"/uploads/{reply.json()['id']}").json()
        assert found["studies"] or found["errors"][0] == "No DICOMs found in the upload.", path
        counts = found["counts"]
        assert counts["received"] == sum(counts[key] for key in ("imported", "already_held", "set_aside", "conflicts", "skipped"))
