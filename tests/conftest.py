"""What every test may ask for."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def children_run_this_checkout() -> None:
    """Children know nothing of our environment: a checkout that is tested by PYTHONPATH must be named to them."""
    from hilum.runtime import children

    if "PYTHONPATH" in os.environ:
        children.FIXED["PYTHONPATH"] = os.environ["PYTHONPATH"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, `../shared/data` from the project's root."""
    folder = Path(os.environ.get("HILUM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"the real images are missing: {folder} (see CONTRIBUTING.md; HILUM_SHARED_DATA names another place)")
    return folder
