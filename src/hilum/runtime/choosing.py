"""The site's key of samples: which results a person looks at cannot be told beforehand by who sends them, and stays as it is."""

import os
import secrets
import tempfile
from pathlib import Path

NAME = "sampling.key"
BYTES = 32


def read_sampling_key(folder: Path) -> bytes:
    """The key of a data directory; made at the first use, once, whoever comes first."""
    path = folder / NAME
    if not path.exists():
        _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{NAME}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)  # whole or not there
        except FileExistsError:
            return  # another worker's came first
    finally:
        Path(made).unlink()
