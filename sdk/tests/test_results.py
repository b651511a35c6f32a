import asyncio
import hashlib
from pathlib import Path

import pytest

from hilum_sdk import AsyncHilum, DigestMismatchError, Hilum
from hilum_sdk.downloads import safe_name

TOKEN = "a-token"
REPORT = b"%PDF" * 500_000


@pytest.fixture
def delivered(server):
    """One upload, one study, three workitems: one superseded, one delivered with two files of one name, one under way."""
    server.uploads["u"] = {"id": "u", "step": "Finished", "studies": [{"id": "s"}]}
    server.lists["/workitems"] = [
        {"id": "old", "status": "finished"},
        {"id": "new", "status": "finished", "supersedes": "old"},
        {"id": "running", "status": "claimed"},
    ]
    for identifier, workitem, content in (
        ("a1", "new", REPORT),
        ("b2", "new", b"another"),
        ("c3", "old", b"old"),
        ("d4", "running", b"half"),
    ):
        artifact = {"id": identifier, "name": "report.pdf", "media_type": "application/pdf"}
        artifact |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        server.lists.setdefault(f"/workitems/{workitem}/artifacts", []).append(artifact)
        server.contents[identifier] = content
    return server


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_only_what_is_delivered_and_newest_is_a_result(delivered, hilum: Hilum) -> None:
    assert [result.artifact.id for result in hilum.results.for_upload("u")] == ["a1", "b2"]


def test_an_upload_has_only_the_results_that_it_asked_for(delivered, hilum: Hilum) -> None:
    delivered.lists["/workitems"].append({"id": "other", "status": "finished", "template": "other"})
    content = {"id": "e5", "name": "other.pdf", "media_type": "application/pdf", "size": 1, "sha256": "0" * 64}
    delivered.lists["/workitems/other/artifacts"] = [content]
    delivered.uploads["u"]["studies"] = [{"id": "s", "workitems": [{"id": "new"}, {"id": "running"}]}]

    assert [result.artifact.id for result in hilum.results.for_upload("u")] == ["a1", "b2"]
    assert "e5" in [result.artifact.id for result in hilum.results.for_study("s")]


def test_two_results_of_one_name_are_both_kept(delivered, hilum: Hilum, tmp_path: Path) -> None:
    paths = [result.download(tmp_path / "results") for result in hilum.results.for_upload("u")]
    assert [path.name for path in paths] == ["report.pdf", "report-b2.pdf"]
    assert files(tmp_path / "results") == {"report.pdf": REPORT, "report-b2.pdf": b"another"}


def test_the_asynchronous_client_downloads_side_by_side(delivered, tmp_path: Path) -> None:
    async def download() -> None:
        async with AsyncHilum(delivered.address, TOKEN) as hilum:
            await asyncio.gather(*(result.download(tmp_path) for result in await hilum.results.for_upload("u")))

    asyncio.run(download())
    assert sorted(files(tmp_path).values()) == sorted([REPORT, b"another"])


def test_what_is_there_is_not_fetched_again(delivered, hilum: Hilum, tmp_path: Path) -> None:
    first = [result.download(tmp_path) for result in hilum.results.for_upload("u")]
    delivered.asked.clear()
    assert [result.download(tmp_path) for result in hilum.results.for_upload("u")] == first
    assert delivered.calls("GET /artifacts/.*") == []


def test_a_file_of_the_users_own_is_not_overwritten(delivered, hilum: Hilum, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(b"mine")
    assert hilum.results.for_study("s")[0].download(tmp_path).name == "report-a1.pdf"
    assert files(tmp_path) == {"report.pdf": b"mine", "report-a1.pdf": REPORT}


def test_a_connection_that_breaks_in_the_middle_starts_over(delivered, hilum: Hilum, tmp_path: Path) -> None:
    delivered.fault("GET /artifacts/a1/content", "truncate")
    hilum.results.for_study("s")[0].download(tmp_path)
    assert files(tmp_path) == {"report.pdf": REPORT}


def test_damaged_bytes_leave_nothing_behind(delivered, hilum: Hilum, tmp_path: Path) -> None:
    delivered.fault("GET /artifacts/a1/content", "damage")
    with pytest.raises(DigestMismatchError, match=r"report\.pdf"):
        hilum.results.for_study("s")[0].download(tmp_path)
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "instead"),
        ("", "instead"),
        ("a/", "instead"),
        (".bashrc", "bashrc"),
        ("a\x00b\n.pdf", "a_b_.pdf"),
        ("CON.pdf", "_CON.pdf"),
        ("montage: T1?.png", "montage_ T1_.png"),
        ("report.pdf. . ", "report.pdf"),
        ("\ud800.pdf", "?.pdf"),
    ],
)
def test_a_name_of_the_servers_stays_in_the_folder(name: str, safe: str) -> None:
    assert safe_name(name, instead="instead") == safe


def test_a_long_name_is_cut_with_its_suffixes_kept() -> None:
    cut = safe_name("ä" * 300 + ".nii.gz", instead="x")
    assert len(cut.encode()) <= 200
    assert cut.endswith("ä.nii.gz")
