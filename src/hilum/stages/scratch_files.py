"""Files that a stage needs for a while: in a folder of its own, gone with it."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`; what a killed worker leaves there housekeeping sweeps."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield mine
    finally:
        shutil.rmtree(mine)


def write_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write what comes."""
    with path.open("wb") as file:
        file.writelines(chunks)


def read_file(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in order."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def digest_file(path: Path) -> bytes:
    """Its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
