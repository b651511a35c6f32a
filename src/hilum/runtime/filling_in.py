"""Attributes that were named after instances came are read from the packs afterwards, series by series."""

import logging

from hilum.dicom.part10 import UnreadableError
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.errors import HilumError
from hilum.model.identity import SYSTEM
from hilum.model.kept import attributes_of
from hilum.model.outcomes import StoredBytes
from hilum.runtime.assembling import Application
from hilum.stores.packs import PackReader

_LOG = logging.getLogger(__name__)
SERIES_A_ROUND = 20


def fill_in_attributes(app: Application) -> int:
    """Bring some series to the newest generation of kept attributes. Returns how many were."""
    keywords, generation = app.templates.kept(SYSTEM)
    behind = app.filler.series_behind(generation, SERIES_A_ROUND)
    if not behind:
        return 0
    names = tuple(sorted(keywords))
    wanted, vrs = Wanted(*names), app.private_tags.vrs(SYSTEM)
    for series_key in behind:
        app.filler.fill_in(series_key, _read_all(app, series_key, wanted, names, vrs), generation)
    return len(behind)


def _read_all(
    app: Application, series_key: int, wanted: Wanted, names: tuple[str, ...], vrs: dict[str, str]
) -> dict[int, dict[str, object]]:
    try:
        return {key: _read(app.vault, stored, wanted, names, vrs) for key, stored in app.filler.bytes_of(series_key)}
    except (UnreadableError, HilumError) as error:
        # It was readable when it was imported; `hilum verify` says what became of its bytes. What is known of it stays.
        _LOG.warning("series %d keeps the attributes it has: %s", series_key, error)
        return {}


def _read(vault: PackReader, stored: StoredBytes, wanted: Wanted, names: tuple[str, ...], vrs: dict[str, str]) -> dict[str, object]:
    def read_at(offset: int, size: int) -> bytes:
        within = max(0, min(size, stored.size - offset))
        return vault.read_at(stored.pack_id, stored.offset + offset, within) if within else b""

    return attributes_of(scan(Source(read_at, stored.size), wanted, to_the_end=False), names, vrs)
