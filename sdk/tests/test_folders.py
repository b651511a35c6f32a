import os
from pathlib import Path

import pytest

from hilum_sdk import NothingToUploadError, UnreadableFilesError, select_files
from hilum_sdk.folders import name_at_server


def test_names_are_relative_posix_and_sorted(folder: Path) -> None:
    assert [file.name for file in select_files(folder).files] == ["notes.txt", "t1/1.dcm", "t1/2 größe#?.dcm"]


def test_everything_left_out_is_named_with_its_reason(folder: Path) -> None:
    assert {file.name: file.reason for file in select_files(folder).skipped} == {
        ".DS_Store": "a hidden file",
        ".git": "a hidden folder",
        "nowhere.dcm": "a link that leads nowhere",
        "outside.dcm": "a link to outside the folder",
        "t1 again": "a link to a folder",
    }


def test_a_link_to_a_file_within_the_folder_is_sent_even_from_a_hidden_store(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "object").write_bytes(b"image")
    (tmp_path / "image.dcm").symlink_to(tmp_path / ".git" / "object")
    assert [(file.name, file.size) for file in select_files(tmp_path).files] == [("image.dcm", 5)]


def test_a_folder_that_is_itself_a_link_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert len(select_files(tmp_path / "link").files) == 3


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_bytes(b"a")
    assert select_files(tmp_path).skipped[0].reason == "neither a file nor a folder"


def test_a_folder_of_hidden_files_says_what_was_skipped(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"x")
    with pytest.raises(NothingToUploadError, match=r"\.DS_Store, a hidden file"):
        select_files(tmp_path)


def test_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(NotADirectoryError):
        select_files(folder / "notes.txt")


def test_files_that_may_not_be_read_are_an_error_and_not_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may read everything, so the permission itself cannot be taken away in every place where this test runs.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "1.dcm")
    with pytest.raises(UnreadableFilesError, match=r"t1/1\.dcm cannot be read"):
        select_files(folder)


def test_bytes_of_a_name_that_are_no_utf8_are_written_out() -> None:
    assert name_at_server(Path(os.fsdecode(b"gr\xf6\xdfe/1"))) == "gr%F6%DFe/1"
