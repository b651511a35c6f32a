"""A copy that cannot be made says why, in words."""

import pytest
from line import settings_in

from hilum.model.errors import HilumError
from hilum.runtime.backing_up import back_up
from hilum.runtime.preparing import prepare


@pytest.fixture
def settings(tmp_path):
    settings = settings_in(tmp_path / "data")
    prepare(settings)
    return settings


def test_a_damaged_ledger_is_called_so(settings, tmp_path):
    (settings.data / "ledger.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(HilumError, match=r"could not be copied to .*copy\.sqlite: the ledger is damaged\."):
        back_up(settings, tmp_path / "copy.sqlite")
    assert list(tmp_path.glob(".*.part")) == []


def test_a_folder_that_is_missing_is_told(settings, tmp_path):
    with pytest.raises(HilumError, match=r"copy\.sqlite: no file can be made there\."):
        back_up(settings, tmp_path / "nowhere" / "copy.sqlite")
