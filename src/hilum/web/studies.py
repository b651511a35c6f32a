"""/studies: what is held, newest first, or what needs a person, the oldest first."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import Scope
from hilum.model.lifecycle import Status
from hilum.model.records import Study
from hilum.runtime.assembling import Application
from hilum.stores.catalogue import Page, StudyFilter
from hilum.web.rendering import render
from hilum.web.standing import Standing, standing_of

PAGE = 50  # studies
MOST_WAITING = 500  # items looked at for "needs a person"


@dataclass(frozen=True, slots=True)
class Row:
    study: Study
    modalities: str
    templates: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the reader narrowed the list to, as it stands in the address."""

    view: str = ""
    text: str = ""
    project: str = ""
    status: str = ""

    def link(self, **changed: str) -> str:
        """This list with something else chosen."""
        chosen = {"view": self.view, "text": self.text, "project": self.project, "status": self.status} | changed
        return "/studies?" + urlencode({name: value for name, value in chosen.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.project or self.status)


def show_studies(app: Application, scope: Scope, request: Request) -> Response:
    """The list."""
    chosen = _chosen(request.query_params)
    waiting = _waiting_for_a_person(app, scope, chosen)
    if chosen.view == "needs":
        studies, older = waiting, ""
    else:
        studies, older = _page_of(app, scope, chosen, request.query_params.get("after", ""))
    rows = [_row(app, scope, study) for study in studies]
    return render(
        "studies.html",
        here="studies",
        rows=rows,
        chosen=chosen,
        text=chosen.text,
        number_waiting=len(waiting),
        older=chosen.link(after=older) if older else "",
        projects=[project.name for project in app.access.list_projects(scope)],
        statuses=[str(status) for status in Status],
        sees_identity=scope.may_see_identity,
        now=app.clock(),
    )


def _chosen(asked: QueryParams) -> Chosen:
    return Chosen(**{name: asked.get(name, "")[:200] for name in ("view", "text", "project", "status")})


def _page_of(app: Application, scope: Scope, chosen: Chosen, after: str) -> tuple[list[Study], str]:
    """One page and the cursor of the next; the cursor is empty on the last."""
    _check_cursor(after)
    wanted = StudyFilter(project=chosen.project, status=chosen.status, text=chosen.text)
    found = app.catalogue.list_studies(scope, wanted, Page(after, PAGE + 1))
    if len(found) <= PAGE:
        return found, ""
    last = found[PAGE - 1]
    return found[:PAGE], f"{last.created_at.isoformat()} {last.id}"


def _check_cursor(after: str) -> None:
    try:
        datetime.fromisoformat(after.partition(" ")[0] or "2000-01-01")
    except ValueError as error:
        raise InvalidError("This address names no page of the list.", "Go back to /studies.") from error


def _waiting_for_a_person(app: Application, scope: Scope, chosen: Chosen) -> list[Study]:
    """Studies that a person is needed for, themselves or for a workitem; the longest waiting first."""
    waiting = app.catalogue.waiting(scope, chosen.project, Page(limit=MOST_WAITING))
    found = dict.fromkeys(one.study_id for one in waiting if one.study_id)  # an upload that waits has no study yet
    if chosen.text:
        wanted = StudyFilter(project=chosen.project, text=chosen.text)
        fitting = {study.id: study for study in app.catalogue.list_studies(scope, wanted, Page(limit=MOST_WAITING))}
        return [fitting[study_id] for study_id in found if study_id in fitting]
    return [study for study_id in found if (study := _find(app, scope, study_id))]


def _find(app: Application, scope: Scope, study_id: str) -> Study | None:
    try:
        return app.catalogue.find_study(scope, study_id)
    except NotFoundError:
        return None  # deleted since the list was read


def _row(app: Application, scope: Scope, study: Study) -> Row:
    workitems = app.catalogue.list_workitems(scope, study_id=study.id)
    series = app.catalogue.list_series(scope, study.id)
    return Row(
        study=study,
        modalities=", ".join(sorted({one.modality for one in series if one.modality})),
        templates=", ".join(dict.fromkeys(workitem.template for workitem in workitems)),
        standing=standing_of(study, workitems),
    )
