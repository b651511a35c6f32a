"""Where downloaded bytes go: a name that is safe on this machine, and a file that is whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from hilum_sdk.bodies import sha256_of
from hilum_sdk.errors import DigestMismatchError
from hilum_sdk.models import Artifact

#: What some file system refuses or some shell acts on: separators, control characters, and what Windows reserves.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
#: Device names that Windows opens instead of a file, whatever the suffix.
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
LONGEST_NAME = 200  # bytes of UTF-8: file systems allow 255, and a suffix of ours may follow

_placing = threading.Lock()


def safe_name(name: str, instead: str) -> str:
    """The last part of a name that the server gave, as a file name of any system; `instead` where nothing is left of it."""
    flat = re.split(r"[/\\]", name)[-1]
    flat = UNSAFE.sub("_", flat).strip(" .")
    if DEVICE.match(flat):
        flat = f"_{flat}"
    return _shortened(flat) or instead


def _shortened(name: str) -> str:
    """At most `LONGEST_NAME` bytes, with the suffixes kept."""
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= LONGEST_NAME:
        return encoded.decode()
    suffix = "".join(Path(name).suffixes[-2:])[-20:]
    return encoded[: LONGEST_NAME - len(suffix.encode())].decode("utf-8", "ignore") + suffix


class PartialFile:
    """A download under way: a hidden file in the target's folder, gone unless `place` is reached.

    Raises:
        DigestMismatchError: by `place`, where the bytes are not the artifact's; nothing is kept then.
    """

    def __init__(self, folder: Path, artifact: Artifact) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._artifact = artifact
        self._path = folder / f".{secrets.token_hex(8)}.part"
        self._opened = self._path.open("xb")
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.close()
        self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._opened.write(chunk)

    def start_over(self) -> Callable[[bytes], None]:
        """Forget what came so far; what comes now goes to the function given back."""
        self._opened.seek(0)
        self._opened.truncate()
        self._digest = hashlib.sha256()
        return self.write

    def place(self) -> Path:
        """Check the digest and give the file its name, which nothing else has."""
        self._check()
        self._opened.flush()
        os.fsync(self._opened.fileno())
        self._opened.close()
        with _placing:
            target = held_path(self._folder, self._artifact) or free_path(self._folder, self._artifact)
            self._path.replace(target)
        return target

    def _check(self) -> None:
        if self._digest.hexdigest() != self._artifact.sha256.lower():
            raise DigestMismatchError(
                f"What arrived of {self._artifact.name} is not what the server holds: SHA-256 {self._digest.hexdigest()} "
                f"instead of {self._artifact.sha256}.",
                "download it again; `hilum verify` at the server tells whether its own copy is whole.",
            )


def held_path(folder: Path, artifact: Artifact) -> Path | None:
    """Where the folder holds these very bytes already under one of the artifact's names."""
    for path in _candidates(folder, artifact):
        if path.is_file() and path.stat().st_size == artifact.size and sha256_of(path) == artifact.sha256.lower():
            return path
    return None


def free_path(folder: Path, artifact: Artifact) -> Path:
    """The artifact's path in a folder; beside another file of the same name it gets its identifier as well."""
    plain, distinct = _candidates(folder, artifact)
    return distinct if os.path.lexists(plain) else plain


def _candidates(folder: Path, artifact: Artifact) -> tuple[Path, Path]:
    name = safe_name(artifact.name, instead=safe_name(artifact.id, instead="result"))
    stem, dot, suffix = name.partition(".")
    return folder / name, folder / f"{stem}-{safe_name(artifact.id, instead='')[:8]}{dot}{suffix}"
