"""`hilum --help` answers at once, and says everything."""

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from hilum.cli import COMMANDS, load

HEAVY = ("sqlalchemy", "fastapi", "pydantic", "httpx", "pydicom", "numpy", "rich", "alembic", "hilum_sdk", "reportlab", "PIL")
"""Each of these takes longer to import than help may take altogether."""


def imported_by(*arguments: str) -> set[str]:
    """The packages that a command imports, in a Python of its own."""
    code = "import sys; from hilum.cli import main; main(sys.argv[1:]); print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split())


def test_help_lists_every_command_with_what_it_does(hilum: Callable) -> None:
    ran = hilum("--help")

    assert ran.returncode == 0
    for name, entry in COMMANDS.items():
        assert (re.search(rf"^  {name} ", ran.stdout, re.MULTILINE) is not None) == entry.is_listed


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    # Typer itself asks pydantic to read parameters: 40 ms that are not ours.
    assert imported_by(name, "--help").isdisjoint(set(HEAVY) - {"pydantic"})


def test_every_command_can_be_loaded_and_has_a_docstring() -> None:
    for name in COMMANDS:
        command = load(name)
        assert command.help
        assert all(one.help for one in getattr(command, "commands", {}).values())


def test_no_command_and_an_unknown_one_are_wrong_usage(hilum: Callable) -> None:
    assert hilum().returncode == 2
    unknown = hilum("nonsense")
    assert unknown.returncode == 2
    assert "nonsense" in unknown.stderr


def test_a_missing_option_is_wrong_usage(hilum: Callable) -> None:
    ran = hilum("upload", ".")

    assert ran.returncode == 2
    assert "--project" in ran.stderr


def test_the_version_is_an_option_as_everywhere(hilum: Callable) -> None:
    assert hilum("--version").stdout == hilum("version").stdout


def test_version_prints_json_when_asked(hilum: Callable) -> None:
    assert json.loads(hilum("version", "--json").stdout)["version"] == hilum("version").stdout.strip()
