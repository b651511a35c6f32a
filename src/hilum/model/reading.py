"""An instance in the vault as a source for the header scan, which reads its beginning in one go."""

from hilum.dicom.elements import WINDOW_SIZE
from hilum.dicom.scanner import Source
from hilum.model.outcomes import StoredBytes
from hilum.model.ports import Vault


def source_of(vault: Vault, stored: StoredBytes) -> Source:
    """A source over the bytes of one instance."""
    first = vault.read_at(stored.pack_id, stored.offset, min(stored.size, WINDOW_SIZE))

    def read_at(offset: int, size: int) -> bytes:
        if offset + size <= len(first):
            return first[offset : offset + size]
        within = max(0, min(size, stored.size - offset))
        return vault.read_at(stored.pack_id, stored.offset + offset, within) if within else b""

    return Source(read_at, stored.size)
