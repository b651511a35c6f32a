"""POST /uploads/archive: all of it or nothing, once for each Idempotency-Key."""

import base64
import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

from tests.api.conftest import Site


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.dcm", content)
    return buffer.getvalue()


def keyed(key: str, archive: bytes) -> dict[str, str]:
    """Idempotency-Key and Content-Digest (RFC 9530)."""
    digest = base64.b64encode(hashlib.sha256(archive).digest()).decode()
    return {"idempotency-key": key, "content-digest": f"sha-256=:{digest}:"}


def test_a_key_without_a_digest_could_stand_for_any_archive_and_is_refused(site: Site) -> None:
    client, project = site.client(), site.project()
    reply = client.post(f"/uploads/archive?project={project}", content=zipped(b"x"), headers={"idempotency-key": project})
    assert (reply.status_code, "Content-Digest" in reply.json()["mend"]) == (422, True)
    other = {"idempotency-key": project, "content-digest": "sha-512=:AAAA:"}
    assert client.post(f"/uploads/archive?project={project}", content=zipped(b"x"), headers=other).status_code == 422


def test_another_archive_under_a_used_key_is_refused(site: Site) -> None:
    client, project = site.client(), site.project()
    first, other = (
        client.post(f"/uploads/archive?project={project}", content=body, headers=keyed(project, body)) for body in map(zipped, (b"x", b"y"))
    )
    assert (first.status_code, other.status_code) == (202, 422)


def test_one_archive_sent_twice_at_once_with_one_key_is_one_upload(site: Site) -> None:
    project, archive = site.project(), zipped(b"x" * (4 << 20))
    clients = [site.client() for _ in range(4)]
    send = lambda client: client.post(f"/uploads/archive?project={project}", content=archive, headers=keyed(project, archive))  # noqa: E731
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(send, clients))
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["id"] for reply in replies}) == 1
