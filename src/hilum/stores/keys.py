"""The projects' keys: a file a project, for its owner only, outside the database and its backups.

`<project>.keys` has a line a key, the one to work with last: 64 hexadecimal digits. A missing file is never made here by itself: who
asks for a key in its stead would give the same patient a second pseudonym.
"""

import os
import re
import secrets
import stat
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError
from hilum.model.keys import ProjectKey

_LINE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class KeyFiles:
    """Keys in a folder.

    Args:
        folder: `keys` of the data directory, or where HILUM_KEYS_DIR says; the same on every machine of a site.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, project: str) -> list[ProjectKey]:
        """All keys of a project, the one to work with last; none where it has none.

        Raises:
            HilumError: others may read the file, or it holds something else.
        """
        path = self._path(project)
        try:
            with path.open(encoding="ascii") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                lines = file.read().split()
        except FileNotFoundError:
            return []
        if mode & 0o077:
            raise HilumError(f"The keys of {project} can be read by others ({mode:04o}).", f"Run `chmod 600` on {path}.")
        if not lines or not all(_LINE.fullmatch(line) for line in lines):
            raise HilumError(f"The file of the keys of {project} is damaged.", f"Restore {path} from a copy.")
        return [ProjectKey.of_secret(bytes.fromhex(line)) for line in lines]

    def create(self, project: str) -> ProjectKey:
        """The first key of a project.

        Raises:
            ConflictError: it has one.
        """
        if self._path(project).exists():
            raise ConflictError(f"Project {project} has a key.", "Use `hilum key rotate` for another.")
        return self._append(project, [])

    def rotate(self, project: str) -> ProjectKey:
        """Another key to work with; the earlier ones stay for the way back.

        Raises:
            ConflictError: it has none.
        """
        known = self.find(project)
        if not known:
            raise ConflictError(f"Project {project} has no key.", "Use `hilum key create`.")
        return self._append(project, known)

    def _append(self, project: str, known: list[ProjectKey]) -> ProjectKey:
        made = ProjectKey.of_secret(secrets.token_bytes(32))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(project)
        being_written = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(being_written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{key.secret.hex()}\n" for key in (*known, made))
            file.flush()
            os.fsync(file.fileno())
        try:
            if known:
                being_written.replace(path)
            else:
                os.link(being_written, path)  # fails where another process was quicker
        except FileExistsError as error:
            raise ConflictError(f"Project {project} has a key.", "Use `hilum key rotate` for another.") from error
        finally:
            being_written.unlink(missing_ok=True)
        self._sync_folder()
        return made

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, project: str) -> Path:
        return self._folder / f"{project}.keys"
