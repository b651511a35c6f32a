"""Attributes that were named after instances came are read from the packs afterwards, series by series."""

import logging
from datetime import timedelta

from hilum.dicom.part10 import UnreadableError
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.errors import StorageError
from hilum.model.identity import SYSTEM
from hilum.model.kept import attributes_of
from hilum.model.outcomes import StoredBytes
from hilum.runtime.assembling import Application
from hilum.stores.packs import PackReader

_LOG = logging.getLogger(__name__)
SERIES_A_ROUND = 20
REST = timedelta(minutes=10)  # of a series that cannot be read


def fill_in_attributes(app: Application) -> int:
    """Bring some series to the newest generation of kept attributes. Returns how many were; those that cannot be read rest for a while."""
    keywords, generation = app.templates.kept(SYSTEM)
    behind = app.filler.series_behind(generation, SERIES_A_ROUND, app.clock())
    if not behind:
        return 0
    names = tuple(sorted(keywords))
    wanted, vrs = Wanted(*names), app.private_tags.vrs(SYSTEM)
    return sum(_fill_in(app, series_key, generation, wanted, names, vrs) for series_key in behind)


def _fill_in(app: Application, series_key: int, generation: int, wanted: Wanted, names: tuple[str, ...], vrs: dict[str, str]) -> bool:
    try:
        read = {key: _read(app.vault, stored, wanted, names, vrs) for key, stored in app.filler.bytes_of(series_key)}
    except (UnreadableError, StorageError) as error:
        # It was readable when it was imported; `hilum verify` says what became of its bytes.
        _LOG.warning("series %d keeps the attributes it has: %s", series_key, error)
        app.filler.put_off(series_key, error.sentence if isinstance(error, StorageError) else str(error), app.clock() + REST)
        return False
    app.filler.fill_in(series_key, read, generation)
    return True


def _read(vault: PackReader, stored: StoredBytes, wanted: Wanted, names: tuple[str, ...], vrs: dict[str, str]) -> dict[str, object]:
    def read_at(offset: int, size: int) -> bytes:
        within = max(0, min(size, stored.size - offset))
        return vault.read_at(stored.pack_id, stored.offset + offset, within) if within else b""

    return attributes_of(scan(Source(read_at, stored.size), wanted, to_the_end=False), names, vrs)
