"""A whole line on SQLite for the tests of the stages, with a processor that is quick and does as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from line import Line, open_line, settings_in
from pydantic import BaseModel

from hilum.processors import Artifacts, NotYet, Order, ProducedFile, Ticket, Unusable


class CountingSettings(BaseModel):
    """Nothing."""


@dataclass
class Counting:
    """Counts the images of each input, or answers what the test put into `answers`."""

    kind = "counting"
    Settings = CountingSettings
    answers: list[Any] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)

    def submit(self, order: Order) -> Ticket:
        self.orders.append(order)
        return Ticket(self.kind, {"order": len(self.orders)})

    def collect(self, ticket: Ticket) -> Artifacts | NotYet | Unusable:
        self.tickets.append(ticket)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or self.count(self.orders[-1])

    def count(self, order: Order, name: str = "count.txt") -> Artifacts:
        path = order.output / "count"
        path.write_text(" ".join(f"{given.role or 'all'}={len(list(given.folder.iterdir()))}" for given in order.inputs))
        return Artifacts((ProducedFile(path, name, "text/plain"),), {"tool": "counting"})

    def cancel(self, ticket: Ticket) -> None:
        """It is over at once."""


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
