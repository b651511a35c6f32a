"""A whole line on SQLite for the tests of the stages, with a processor that is quick and does as it is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from counting import Counting
from line import Line, open_line, settings_in


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def line(tmp_path: Path, counting: Counting) -> Iterator[Line]:
    """A line with the template `count`: every MR series, counted."""
    with open_line(settings_in(tmp_path / "data"), processors={"counting": counting}) as opened:
        opened.save_template("count", active=False)
        yield opened


@pytest.fixture
def result_of(line: Line) -> Callable[..., str]:
    """The text of a workitem's result."""
    from hilum.model.identity import SYSTEM

    def read(workitem: Any, name: str = "count.txt") -> str:
        (found,) = [one for one in line.app.catalogue.artifacts(SYSTEM, workitem.id) if one.name == name]
        return b"".join(line.app.vault.stream(found.stored)).decode()

    return read
