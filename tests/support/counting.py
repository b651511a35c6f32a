"""A processor for tests: quick, in this process, and it does as it is told."""

from dataclasses import dataclass, field
from typing import Any

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
    text: str | None = None  # what the result says instead of the counts

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
        counts = " ".join(f"{given.role or 'all'}={len(list(given.folder.iterdir()))}" for given in order.inputs)
        path.write_text(counts if self.text is None else self.text)
        return Artifacts((ProducedFile(path, name, "text/plain"),), {"tool": "counting"})

    def cancel(self, ticket: Ticket) -> None:
        """It is over at once."""
