"""What is said when the operating system fails us: the pack, the reason in its words, the mend; no path, no number."""

from pathlib import Path

import pytest

from hilum.model.errors import StorageError
from hilum.model.outcomes import StoredBytes
from hilum.stores.packs import PackReader, pack_path, recover, remove, scan, settle, verify

PACK = "11111111-2222-4333-8444-555555555555"


def _settle(folder: Path) -> None:
    (folder / f"{PACK}.tar.rewriting").mkdir()  # what cannot be unlinked
    settle(folder, set())


def _remove(folder: Path) -> None:
    pack_path(folder, PACK).mkdir()
    remove(folder, PACK)


TROUBLES = {
    "scan": lambda folder: list(scan(pack_path(folder, PACK))),
    "verify": lambda folder: verify(pack_path(folder, PACK)),
    "recover": lambda folder: recover(pack_path(folder, PACK)),
    "read": lambda folder: PackReader(folder).read(StoredBytes(PACK, 0, 1, b"")),
    "settle": _settle,
    "remove": _remove,
}


@pytest.mark.parametrize("what", TROUBLES)
def test_the_reason_is_told_without_what_is_inside(tmp_path, what):
    with pytest.raises(StorageError) as caught:
        TROUBLES[what](tmp_path)
    said = str(caught.value)
    assert "No such file or directory" in said or "Is a directory" in said
    assert "Errno" not in said and str(tmp_path) not in said
    assert caught.value.mend
