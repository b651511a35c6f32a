"""The projects' keys as the settings say, and when a first one may be made."""

import logging
from collections.abc import Callable

from hilum.model.errors import ConflictError, HilumError
from hilum.model.keys import ProjectKey
from hilum.runtime.settings import Settings
from hilum.stores.keys import KeyFiles, parse_keys

_LOG = logging.getLogger(__name__)


def open_keys(settings: Settings) -> KeyFiles:
    """Where the keys are.

    Raises:
        InvalidError: HILUM_KEYS does not hold keys.
    """
    return KeyFiles(settings.keys_folder, parse_keys(settings.keys.get_secret_value()))


def make_first_key(settings: Settings, project: str) -> None:
    """The key of a project that was made just now: nobody can have a pseudonym in it yet.

    Where the site says where keys are, or several machines share a database, the site makes it: another machine could not read ours.
    """
    if _are_the_sites(settings):
        return
    try:
        open_keys(settings).create(project)
    except ConflictError:
        return  # there is one
    except OSError as error:
        _LOG.warning("project %s has no key: %s; make one with `hilum key create %s`", project, error.strerror, project)


def find_key(settings: Settings, project: str, tell: Callable[[str], object]) -> ProjectKey:
    """The key of a project; its first one is made where nothing was ever de-identified or kept in the data directory, and that is told.

    Raises:
        HilumError: it has none, and the data directory is in use: a new key would give patients second pseudonyms.
    """
    files = open_keys(settings)
    known = files.find(project)
    if known:
        return known[-1]
    if _are_the_sites(settings) or (settings.data / "ledger.sqlite").exists():
        raise HilumError(
            f"Project {project} has no key in {settings.keys_folder}.",
            f"Bring it back from a copy, or make the first one with `hilum key create {project}`.",
        )
    made = files.create(project)
    tell(f"A first key for project {project} was made in {settings.keys_folder}: keep it, or its patients get other pseudonyms next time.")
    return made


def _are_the_sites(settings: Settings) -> bool:
    return settings.keys_dir is not None or bool(settings.database)
