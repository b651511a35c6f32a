"""What waits for a person: held and failed studies and workitems, as `held` and `status` tell it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hilum_sdk import Hilum

STATUSES = ("failed", "held")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item that a person must look at."""

    id: str
    what: str
    study: str
    stage: str
    status: str
    since_at: datetime
    sentence: str

    @property
    def mend(self) -> str:
        """The command that goes on with it."""
        if (self.stage, self.status) == ("reviewing", "held"):
            return f"hilum review accept {self.id}"
        return f"hilum retry {self.id}"


def list_waiting(hilum: "Hilum", project: str | None = None) -> list[Waiting]:
    """The longest waiting first. A study that is held only because of its workitems is told by them."""
    workitems = [one for one in _workitems(hilum) if project in (None, one[0])]
    told = {one.study for _, one in workitems}
    studies = [one for one in _studies(hilum, project) if one.id not in told]
    return sorted([*studies, *(one for _, one in workitems)], key=lambda one: one.since_at)


def _studies(hilum: "Hilum", project: str | None) -> Iterator[Waiting]:
    for status in STATUSES:
        for study in hilum.studies.list(project=project, status=status):
            yield _waiting("study", study.id, study)


def _workitems(hilum: "Hilum") -> Iterator[tuple[str, Waiting]]:
    for status in STATUSES:
        for one in hilum.workitems.list(status=status):
            extra = one.model_extra or {}
            yield str(extra.get("project", "")), _waiting(f"workitem {one.template}", one.study or "", one)


def _waiting(what: str, study: str, item: Any) -> Waiting:
    at = datetime.fromisoformat(item.since_at)
    return Waiting(item.id, what, study, item.stage, item.status, at, item.why or "")
