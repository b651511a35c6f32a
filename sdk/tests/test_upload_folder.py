import asyncio
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from hilum_sdk import (
    AsyncHilum,
    ConflictError,
    DigestMismatchError,
    FileChangedError,
    Hilum,
    InvalidError,
    NothingToUploadError,
    Progress,
    StorageFullError,
)
from hilum_sdk.models import Upload

NAMES = ["notes.txt", "t1/1.dcm", "t1/2 größe#?.dcm"]
TOKEN = "a-token"


def many(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.dcm").write_bytes(b"%d" % number)
    return folder


def puts(server) -> list[str]:
    return sorted(route.partition("/files/")[2] for _, route, _ in server.calls(r"PUT .*"))


def test_a_folder_arrives_byte_for_byte_and_is_sealed(server, hilum: Hilum, folder: Path) -> None:
    upload = hilum.uploads.upload_folder(folder, project="admin", report_type="brain_ms", metadata={"a": 1}, progress=False)
    assert upload.step == "Importing"
    assert server.files[upload.id] == {name: (folder / name).read_bytes() for name in NAMES}
    assert server.uploads[upload.id] | {"project": "admin", "report_type": "brain_ms", "metadata": {"a": 1}} == server.uploads[upload.id]


def test_announced_counts_go_with_a_folder(server, hilum: Hilum, folder: Path) -> None:
    upload = hilum.uploads.upload_folder(folder, project="admin", expected_counts={"1.2": 3}, progress=False)
    assert server.uploads[upload.id]["announced"] == {"1.2": 3}


def test_what_was_skipped_is_in_the_answer(server, hilum: Hilum, folder: Path) -> None:
    upload = hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert "outside.dcm" in [file.name for file in upload.skipped]


def test_the_asynchronous_client_sends_the_same(server, folder: Path) -> None:
    async def send():
        async with AsyncHilum(server.address, TOKEN) as hilum:
            upload = await hilum.uploads.upload_folder(folder, project="admin", progress=False)
            return upload, [file.name async for file in hilum.uploads.files(upload.id)]

    upload, names = asyncio.run(send())
    assert sorted(names) == NAMES
    assert server.files[upload.id] == {name: (folder / name).read_bytes() for name in NAMES}


def test_what_the_server_holds_is_not_sent_again(server, hilum: Hilum, folder: Path) -> None:
    hilum.uploads.upload_folder(folder, project="admin", progress=False)
    server.asked.clear()
    (folder / "new.dcm").write_bytes(b"new")
    upload = hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert puts(server) == ["new.dcm"]
    assert upload.step == "Importing"


def test_an_interrupted_upload_is_resumed_under_its_id(server, hilum: Hilum, folder: Path) -> None:
    server.fault(r"PUT .*/2 .*", "status", status=507, detail="The disk is full.")
    with pytest.raises(StorageFullError, match="The disk is full") as caught:
        hilum.uploads.upload_folder(folder, project="admin", progress=False, concurrency=1)
    assert "resume='upload-1'" in caught.value.__notes__[0]
    server.asked.clear()
    upload = hilum.uploads.upload_folder(folder, project="admin", progress=False, resume="upload-1")
    assert (upload.id, upload.step, puts(server)) == ("upload-1", "Importing", ["t1/2 größe#?.dcm"])


def test_the_id_of_an_upload_is_known_before_its_first_byte(server, hilum: Hilum, folder: Path) -> None:
    started = []

    def remember(upload: Upload) -> None:
        started.append((upload.id, puts(server)))

    hilum.uploads.upload_folder(folder, project="admin", progress=False, on_start=remember)
    assert started == [("upload-1", [])]


def test_an_upload_that_is_sealed_is_not_filled_again(server, hilum: Hilum, folder: Path) -> None:
    first = hilum.uploads.upload_folder(folder, project="admin", progress=False)
    server.asked.clear()
    hilum.uploads.upload_folder(folder, project="admin", progress=False, resume=first.id)
    assert [entry[:2] for entry in server.asked] == [("GET", "/uploads/upload-1")]


def test_files_are_offered_a_thousand_a_call(server, hilum: Hilum, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 1001)
    server.held = dict.fromkeys((), b"")
    hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert len(server.calls(r"POST .*/offer")) == 2
    assert len(server.files["upload-1"]) == 1001


def test_no_more_files_are_in_the_air_than_asked_for(server, hilum: Hilum, tmp_path: Path) -> None:
    # Every PUT waits for two more: three at a time can pass, two would stand still until the barrier breaks.
    barrier = threading.Barrier(3, timeout=5)
    server.hold_puts = barrier.wait
    hilum.uploads.upload_folder(many(tmp_path / "many", 9), project="admin", progress=False, concurrency=3)
    assert server.most_in_flight == 3


def test_an_empty_folder_starts_nothing(server, hilum: Hilum, tmp_path: Path) -> None:
    with pytest.raises(NothingToUploadError):
        hilum.uploads.upload_folder(tmp_path, project="admin")
    assert server.asked == []


def test_an_unknown_report_type_is_said_before_any_byte_is_sent(server, hilum: Hilum, folder: Path) -> None:
    with pytest.raises(InvalidError, match="no report type unknown"):
        hilum.uploads.upload_folder(folder, project="admin", report_type="unknown", progress=False)
    assert [entry[:2] for entry in server.asked] == [("POST", "/uploads")]


@pytest.mark.parametrize("fault", [("status", {"status": 503}), ("status", {"status": 429}), ("drop", {}), ("damage", {})])
def test_passing_trouble_costs_another_try_and_nothing_else(server, hilum: Hilum, folder: Path, fault) -> None:
    server.fault(r"PUT .*1\.dcm", fault[0], **fault[1])
    upload = hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert puts(server).count("t1/1.dcm") == 2
    assert server.files[upload.id]["t1/1.dcm"] == (folder / "t1" / "1.dcm").read_bytes()


def test_bytes_that_are_damaged_again_and_again_are_an_error(server, hilum: Hilum, folder: Path) -> None:
    server.fault(r"PUT .*1\.dcm", "damage", times=2)
    with pytest.raises(InvalidError, match="another digest"):
        hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert server.calls(r"POST .*/complete") == []


def test_a_server_that_kept_other_bytes_is_not_believed(server, hilum: Hilum, folder: Path) -> None:
    server.fault(r"PUT .*1\.dcm", "other-digest")
    with pytest.raises(DigestMismatchError, match=r"t1/1\.dcm"):
        hilum.uploads.upload_folder(folder, project="admin", progress=False)


@pytest.mark.parametrize("change", [b"other" * 1000, b"longer" * 1000, b"short"])
def test_a_file_that_changes_while_it_is_sent_is_named(server, hilum: Hilum, folder: Path, change: bytes) -> None:
    path = folder / "t1" / "1.dcm"

    def change_before_sending(progress: Progress) -> None:
        path.write_bytes(change)

    # The empty notes.txt is sent first and alone; its progress is the moment between the digests and the sending.
    with pytest.raises(FileChangedError, match=r"t1/1\.dcm changed"):
        hilum.uploads.upload_folder(folder, project="admin", progress=change_before_sending, concurrency=1)
    assert "t1/1.dcm" not in server.files["upload-1"]


def test_the_first_error_ends_the_upload_and_what_waits_is_not_sent(server, hilum: Hilum, tmp_path: Path) -> None:
    server.fault(r"PUT .*0000\.dcm", "status", status=507)
    with pytest.raises(StorageFullError):
        hilum.uploads.upload_folder(many(tmp_path / "many", 200), project="admin", progress=False, concurrency=2)
    assert len(puts(server)) < 100
    assert server.calls(r"POST .*/complete") == []


def test_the_first_error_ends_an_asynchronous_upload_too(server, tmp_path: Path, seconds) -> None:
    folder = many(tmp_path / "two", 2)
    server.fault(r"PUT .*0000\.dcm", "status", status=503, headers={"Retry-After": "4"})
    server.fault(r"PUT .*0001\.dcm", "status", status=507)

    async def send() -> None:
        async with AsyncHilum(server.address, TOKEN) as hilum:
            await hilum.uploads.upload_folder(folder, project="admin", progress=False)

    with pytest.raises(StorageFullError):
        asyncio.run(send())
    assert seconds() < 3


@pytest.mark.parametrize("change", [b"other" * 1000, b"longer" * 1000, b"short"])
def test_the_asynchronous_client_names_a_file_that_changes(server, folder: Path, change: bytes) -> None:
    path = folder / "t1" / "1.dcm"

    async def send() -> None:
        async with AsyncHilum(server.address, TOKEN) as hilum:
            await hilum.uploads.upload_folder(folder, "admin", progress=lambda _: path.write_bytes(change), concurrency=1)

    with pytest.raises(FileChangedError, match=r"t1/1\.dcm changed"):
        asyncio.run(send())


def test_a_try_that_rests_ends_when_another_file_fails(server, hilum: Hilum, tmp_path: Path, seconds) -> None:
    folder = many(tmp_path / "two", 2)
    server.fault(r"PUT .*0000\.dcm", "status", status=503, headers={"Retry-After": "4"})
    server.fault(r"PUT .*0001\.dcm", "status", status=507)
    with pytest.raises(StorageFullError):
        hilum.uploads.upload_folder(folder, project="admin", progress=False)
    assert seconds() < 3


def test_the_thread_of_a_stopped_job_can_be_used_again(server, hilum: Hilum, folder: Path) -> None:
    server.fault(r"PUT .*", "status", status=507)
    with pytest.raises(StorageFullError):
        hilum.uploads.upload_folder(folder, project="admin", progress=False)
    try:
        hilum.uploads.upload_folder(folder, project="admin", progress=False)
    except CancelledError:
        pytest.fail("the stop of one upload reached the next")


def test_progress_is_told_to_the_end_with_the_tries_not_counted_twice(server, hilum: Hilum, folder: Path) -> None:
    server.fault(r"PUT .*1\.dcm", "status", status=503)
    seen: list[Progress] = []
    hilum.uploads.upload_folder(folder, project="admin", progress=seen.append)
    total = sum(path.stat().st_size for path in (folder / "t1").iterdir())
    assert (seen[-1].files, seen[-1].size, seen[-1].size_total, seen[-1].fraction) == (3, total, total, 1.0)
    assert max(progress.size for progress in seen) == total


def test_progress_on_standard_error_is_plain_lines_where_it_is_no_terminal(server, hilum: Hilum, folder: Path, capsys) -> None:
    hilum.uploads.upload_folder(folder, project="admin")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "[########################] 100%  3/3 files, 0.0/0.0 MB"
    assert "\r" not in err


def test_a_zip_is_streamed_as_it_is(server, hilum: Hilum, tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    path.write_bytes(b"PK" * 2_000_000)
    upload = hilum.uploads.upload_zip(path, project="admin", report_type="nifti", progress=False)
    assert server.files["zip"]["zip"] == path.read_bytes()
    assert upload.asked == {"project": "admin", "report_type": "nifti"}


def test_one_file_is_put_from_bytes(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    assert hilum.uploads.put_file(upload.id, "a/b.dcm", b"bytes").size == 5
    assert server.files[upload.id] == {"a/b.dcm": b"bytes"}


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "."])
def test_a_name_that_would_change_on_the_way_is_refused(server, hilum: Hilum, name: str) -> None:
    with pytest.raises(ValueError, match="no relative name"):
        hilum.uploads.put_file("upload-1", name, b"")


def test_a_missing_file_keeps_the_upload_from_being_sealed(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    with pytest.raises(ConflictError, match="3 files are missing"):
        hilum.uploads.complete(upload.id, expected_files=3)
