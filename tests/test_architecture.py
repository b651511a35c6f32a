"""The walls of the house: the dependency rule, as import-linter reads it from `.importlinter`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_every_import_obeys_the_dependency_rule() -> None:
    """In a process of its own: import-linter silences the loggers of the process that it runs in."""
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(config_filename='.importlinter', no_cache=True))"
    )
    linted = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("part", ["hilum.api.serving", "hilum.runtime.serving_dimse", "hilum.runtime.working"])
def test_a_part_of_serve_starts_without_what_only_images_need(part: str) -> None:
    """pydicom and numpy take a third of a second and 25 MB in each process."""
    heavy = subprocess.run(
        [sys.executable, "-c", f"import sys, {part}; print(*{{'pydicom', 'numpy', 'PIL', 'reportlab', 'httpx'}} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert heavy.stdout.split() == []
