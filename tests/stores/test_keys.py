"""The projects' keys: files for their owner only."""

import stat
from pathlib import Path

import pytest

from hilum.model.errors import ConflictError, HilumError
from hilum.stores.keys import KeyFiles


def test_a_project_without_a_key_has_none_and_gets_none(tmp_path: Path) -> None:
    assert KeyFiles(tmp_path / "keys").find("admin") == []
    assert not (tmp_path / "keys").exists()


def test_a_key_is_readable_by_its_owner_only_and_found_again(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path / "keys")
    made = files.create("admin")
    assert files.find("admin") == [made]
    assert stat.S_IMODE((tmp_path / "keys" / "admin.keys").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_rotation_keeps_the_old_key(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    first = files.create("admin")
    second = files.rotate("admin")
    assert files.find("admin") == [first, second]
    assert first.id != second.id


def test_a_second_first_key_and_a_rotation_of_none_are_refused(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    with pytest.raises(ConflictError):
        files.rotate("admin")
    files.create("admin")
    with pytest.raises(ConflictError):
        files.create("admin")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    files.create("admin")
    (tmp_path / "admin.keys").chmod(0o644)
    with pytest.raises(HilumError, match="chmod 600"):
        files.find("admin")


def test_a_damaged_file_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "admin.keys"
    path.write_text("half a key\n")
    path.chmod(0o600)
    with pytest.raises(HilumError, match="damaged"):
        KeyFiles(tmp_path).find("admin")
