"""The projects' keys: a file a project, for its owner only, outside the database and its backups; or the setting HILUM_KEYS.

`<project>.keys` has a line a key, the one to work with last: 64 hexadecimal digits. A missing file is never made here by itself: who
asks for a key in its stead would give the same patient a second pseudonym.
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError, InvalidError
from hilum.model.keys import ProjectKey

_LINE = re.compile(r"[0-9a-f]{64}", re.ASCII)
GIVEN = "HILUM_KEYS"  # the setting that holds keys itself


def parse_keys(text: str) -> dict[str, list[ProjectKey]]:
    """The keys of HILUM_KEYS: `ward=<64 hexadecimal digits>,<64 more> trial=<64>`; of several of a project the last one is worked with.

    Raises:
        InvalidError: it says something else; nothing of it is repeated.
    """
    found: dict[str, list[ProjectKey]] = {}
    for part in text.split():
        project, _, secrets_of_it = part.partition("=")
        lines = secrets_of_it.lower().split(",")
        if not project or project in found or not all(_LINE.fullmatch(line) for line in lines):
            raise InvalidError(f"{GIVEN} does not hold keys.", "Write `project=64 hexadecimal digits`, once a project, apart by spaces.")
        found[project] = [ProjectKey.of_secret(bytes.fromhex(line)) for line in lines]
    return found


class KeyFiles:
    """Keys in a folder.

    Args:
        folder: `keys` of the data directory, or where HILUM_KEYS_DIR says; the same on every machine of a site.
        given: keys by project that lie in no file.
    """

    def __init__(self, folder: Path, given: Mapping[str, Sequence[ProjectKey]] | None = None) -> None:
        self._folder = folder
        self._given = given or {}

    def find(self, project: str) -> list[ProjectKey]:
        """All keys of a project, the one to work with last; none where it has none.

        Raises:
            HilumError: others may read the file, or it holds something else, or it is not what HILUM_KEYS says.
        """
        given, found = list(self._given.get(project, ())), self._read(project)
        if given and found and given[-1] != found[-1]:
            raise HilumError(
                f"The key of {project} in {GIVEN} is not the one in {self._folder}.", "Take out the one that pseudonyms were not made with."
            )
        return given or found

    def _read(self, project: str) -> list[ProjectKey]:
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
        if project in self._given or self._path(project).exists():
            raise ConflictError(f"Project {project} has a key.", "Use `hilum key rotate` for another.")
        return self._append(project, [])

    def rotate(self, project: str) -> ProjectKey:
        """Another key to work with; the earlier ones stay for the way back.

        Raises:
            ConflictError: it has none.
        """
        if project in self._given:
            raise ConflictError(f"The keys of {project} are in {GIVEN}.", "Add another one there, behind a comma.")
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
