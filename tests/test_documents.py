"""What README and docs name is there: commands with their options, and the pages that they link."""

import re
from pathlib import Path

import pytest

from hilum.cli import COMMANDS, load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "sdk" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
CALL = re.compile(r"(?<![\w./-])hilum ([a-z][a-z-]+)([^`#;|\n]*)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")

named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@named
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    calls = [call for code in CODE.findall(page.read_text(encoding="utf-8")) for call in CALL.findall(code)]

    assert [f"hilum {name}{rest}" for name, rest in calls if not _is_understood(name, rest.split())] == []


@named
def test_every_page_and_picture_that_a_page_links_is_there(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()] == []


def test_a_command_or_option_that_is_not_there_is_noticed() -> None:
    assert _is_understood("retry", ["ID", "--reason", "x"])
    assert not _is_understood("anonymise", [])
    assert not _is_understood("retry", ["ID", "--because", "x"])
    assert not _is_understood("project", ["paint"])


def _is_understood(name: str, words: list[str]) -> bool:
    if name not in COMMANDS:
        return False
    command = load(name)
    group = getattr(command, "commands", {})
    if group and words:
        if words[0].split("|")[0] not in group:
            return False
        command = group[words[0].split("|")[0]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {word.strip("[]").split("=")[0] for word in words if word.lstrip("[").startswith("--")} <= known
