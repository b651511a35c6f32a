"""Which files of a folder are sent, under which names, and which are not, with the reason."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hilum_sdk.bodies import LocalFile
from hilum_sdk.errors import NothingToUploadError, UnreadableFilesError
from hilum_sdk.models import SkippedFile

#: What operating systems leave in folders without being asked; hidden files are skipped by their leading dot.
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass
class Selection:
    """The files of a folder in the order of their names, and what is left out."""

    files: list[LocalFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def select_files(folder: str | os.PathLike[str]) -> Selection:
    """Find the files to send; nothing is read but the folder itself.

    Names are relative to the folder, with `/` between their parts: no path of this machine leaves it.

    Raises:
        NotADirectoryError: there is no such folder.
        UnreadableFilesError: this user may not read some of the files.
        NothingToUploadError: no file is left to send.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"{os.fspath(folder)} is not a folder.")
    selection, unreadable = Selection(), list[str]()
    for path in _walk(root, root, selection, unreadable):
        name = name_at_server(path.relative_to(root))
        if not os.access(path, os.R_OK):
            unreadable.append(name)
        else:
            selection.files.append(LocalFile(name, path, path.stat().st_size))
    _refuse_unreadable(unreadable)
    if not selection.files:
        raise NothingToUploadError(
            f"{os.fspath(folder)} holds no file to upload{_reasons(selection.skipped)}.", "name the folder that holds the images."
        )
    return selection


def name_at_server(relative: Path) -> str:
    """The POSIX form of a relative path; bytes of a name that are no UTF-8 are written as %XX."""
    return re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found[0]) - 0xDC00:02X}", relative.as_posix())


def _walk(folder: Path, root: Path, selection: Selection, unreadable: list[str]) -> Iterator[Path]:
    """The files under a folder in order; what is skipped or cannot be listed is noted."""
    try:
        entries = sorted(folder.iterdir())
    except PermissionError:
        unreadable.append(name_at_server(folder.relative_to(root)))
        return
    for entry in entries:
        if reason := _reason_to_skip(entry, root):
            selection.skipped.append(SkippedFile(name=name_at_server(entry.relative_to(root)), reason=reason))
        elif entry.is_dir():
            yield from _walk(entry, root, selection, unreadable)
        else:
            yield entry


def _reason_to_skip(entry: Path, root: Path) -> str:
    """Why an entry is not sent; empty where it is."""
    kind = "folder" if entry.is_dir() else "file"
    if entry.name.startswith("."):
        return f"a hidden {kind}"
    if entry.name.lower() in SYSTEM_FILES:
        return f"a {kind} of the operating system"
    if entry.is_symlink():
        return _reason_to_skip_link(entry, root)
    return "" if entry.is_dir() or entry.is_file() else "neither a file nor a folder"


def _reason_to_skip_link(link: Path, root: Path) -> str:
    """A link within the folder to a file is sent: data sets under git-annex consist of such links."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop, up to Python 3.12
        return "a link that leads nowhere"
    if not target.is_relative_to(root):
        return "a link to outside the folder"
    return "a link to a folder" if target.is_dir() else ""


def _refuse_unreadable(names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise UnreadableFilesError(
            f"{', '.join(names[:3])}{more} cannot be read by this user.", "allow it, or move what is not to be sent out of the folder."
        )


def _reasons(skipped: list[SkippedFile]) -> str:
    if not skipped:
        return ""
    return f" (skipped: {', '.join(f'{file.name}, {file.reason}' for file in skipped[:3])}{', ...' if len(skipped) > 3 else ''})"
