"""The walls of the house: the dependency rule, as import-linter reads it from `.importlinter`."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_every_import_obeys_the_dependency_rule(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True)
    assert status == 0, capsys.readouterr().out
