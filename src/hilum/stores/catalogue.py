"""What is held: patients, studies, series, instances, findings, workitems and results, within the caller's scope."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select

from hilum.model.errors import NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.lifecycle import Item, SeriesStatus, Stage, Status, series_status
from hilum.model.outcomes import Finding, SeriesInput, Severity, StoredBytes
from hilum.model.records import (
    Artifact,
    Instance,
    MemberState,
    Request,
    Review,
    Series,
    SetAsideMember,
    Study,
    Workitem,
)
from hilum.stores.database import Database
from hilum.stores.moving import ITEM_COLUMNS, item_of
from hilum.stores.schema import (
    artifacts,
    derivatives,
    findings,
    instances,
    intake_studies,
    intakes,
    items,
    matches,
    members,
    patients,
    projects,
    receipts,
    reviews,
    series,
    series_headers,
    studies,
    study_datasets,
    tombstones,
    workitems,
)
from hilum.stores.scoping import in_scope
from hilum.stores.slices import kept_generations, with_others, with_unread


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """What a list of studies is narrowed to; an empty field narrows nothing. The project `admin` is the view over all."""

    project: str = ""
    patient_id: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    stage: str = ""
    status: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on: `after` is the `next` of the page before."""

    after: str = ""
    limit: int = 100


_erased = select(tombstones.c.study_id)
_study_columns = (
    studies,
    patients.c.patient_id,
    patients.c.patient_name,
    *(column.label(f"item_{column.name}") for column in ITEM_COLUMNS),
)
STUDY_ROWS = (
    select(*_study_columns)
    .join(patients, patients.c.key == studies.c.patient_key)
    .join(items, items.c.id == studies.c.id)
    .join(projects, projects.c.id == studies.c.project_id)
    .where(studies.c.id.not_in(_erased))
)
SERIES_ROWS = (
    select(series, projects.c.name.label("project"))
    .join(projects, projects.c.id == series.c.project_id)
    .where(series.c.study_id.not_in(_erased))
)
WORKITEM_ROWS = (
    select(workitems, *(column.label(f"item_{column.name}") for column in ITEM_COLUMNS))
    .join(items, items.c.id == workitems.c.id)
    .join(projects, projects.c.id == workitems.c.project_id)
    .where(workitems.c.study_id.not_in(_erased))
)


class Catalogue:
    """Queries; nothing here changes anything."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- studies --------------------------------------------------------------------------------------------------------

    def find_study(self, scope: Scope, study: str) -> Study:
        """By our id, Study Instance UID, accession number or a workitem's id; NotFoundError when none or when several fit."""
        names = [studies.c.id, studies.c.study_instance_uid]  # one after the other: an OR of both would look at every study
        if scope.may_see_identity:
            names.append(studies.c.accession_number)
        rows: list[Study] = []
        with self.database.reading() as connection:
            for column in names:
                if study and not rows:
                    rows = _studies(connection, STUDY_ROWS.where(column == study, in_scope(scope, studies.c.project_id)).limit(2))
            if not rows:
                its = select(workitems.c.study_id).where(workitems.c.id == study)
                rows = _studies(connection, STUDY_ROWS.where(studies.c.id.in_(its), in_scope(scope, studies.c.project_id)).limit(2))
        if len(rows) != 1:
            what = "There is no study" if not rows else "There are several studies"
            raise NotFoundError(f"{what} {study!r}.", "Look at `hilum status`, or name it by its id.")
        return rows[0]

    def list_studies(self, scope: Scope, wanted: StudyFilter, page: Page) -> list[Study]:
        """Newest first."""
        query = STUDY_ROWS.where(in_scope(scope, studies.c.project_id), *_narrowed(scope, wanted))
        if page.after:
            at, _, study_id = page.after.partition(" ")
            moment = datetime.fromisoformat(at)
            query = query.where(or_(studies.c.created_at < moment, and_(studies.c.created_at == moment, studies.c.id > study_id)))
        query = query.order_by(studies.c.created_at.desc(), studies.c.id).limit(page.limit)
        with self.database.reading() as connection:
            return _studies(connection, query)

    def studies_of_intake(self, scope: Scope, intake_id: str) -> list[Study]:
        """The studies that an intake touched, or asked for."""
        touched = select(intake_studies.c.study_id).where(intake_studies.c.intake_id == intake_id)
        query = STUDY_ROWS.where(studies.c.id.in_(touched), in_scope(scope, studies.c.project_id)).order_by(
            studies.c.created_at, studies.c.id
        )
        with self.database.reading() as connection:
            return _studies(connection, query)

    def intakes_of_study(self, scope: Scope, study_id: str) -> list[str]:
        """The ids of the intakes that touched a study, oldest first."""
        query = (
            select(intakes.c.id)
            .join(intake_studies, intake_studies.c.intake_id == intakes.c.id)
            .where(intake_studies.c.study_id == study_id, in_scope(scope, intakes.c.project_id))
            .order_by(intakes.c.started_at)
        )
        with self.database.reading() as connection:
            return list(connection.scalars(query))

    def requests(self, scope: Scope, study_id: str) -> list[Request]:
        """What intakes ask of a study, oldest first."""
        waiting = exists().where(members.c.intake_id == intakes.c.id, members.c.state == MemberState.RECEIVED)
        query = (
            select(intakes, intake_studies.c.answered, items.c.status, waiting.label("waiting"))
            .join(intake_studies, intake_studies.c.intake_id == intakes.c.id)
            .join(items, items.c.id == intakes.c.id)
            .join(studies, studies.c.id == intake_studies.c.study_id)
            .where(intake_studies.c.study_id == study_id, in_scope(scope, studies.c.project_id))
            .order_by(intakes.c.started_at, intakes.c.id)
        )
        with self.database.reading() as connection:
            return [
                Request(
                    row.id,
                    row.report_type,
                    row.force_reprocessing,
                    row.completed_at is not None,
                    row.imported,
                    row.answered,
                    _is_pending(row),
                    row.waiting,
                    row.imported_until_at,
                )
                for row in connection.execute(query)
            ]

    def quiet_seconds(self, scope: Scope, project: str) -> float:
        """How long a study must be quiet before it counts as complete, where nobody says that it is."""
        with self.database.reading() as connection:
            query = select(projects.c.quiet_seconds).where(projects.c.name == project, in_scope(scope, projects.c.id))
            return float(connection.scalar(query) or 0)

    # --- series and instances -------------------------------------------------------------------------------------------

    def list_series(self, scope: Scope, study_id: str = "", page: Page | None = None, *, varying: Collection[str] = ()) -> list[Series]:
        """Series of a study, or of all, by key; with the values of `varying` in all of their slices."""
        query = SERIES_ROWS.where(in_scope(scope, series.c.project_id)).order_by(series.c.key)
        if study_id:
            query = query.where(series.c.study_id == study_id)
        if page is not None:
            query = query.where(series.c.key > int(page.after or 0)).limit(page.limit)
        with self.database.reading() as connection:
            return self._as_series(connection, connection.execute(query).all(), varying)

    def _as_series(self, connection: Connection, rows: Sequence[Row[Any]], varying: Collection[str]) -> list[Series]:
        found = with_unread([series_of(row) for row in rows], {row.key: row.kept_generation for row in rows}, kept_generations(connection))
        return with_others(connection, found, varying) if varying else found

    def find_series(self, scope: Scope, series_id: str, *, varying: Collection[str] = ()) -> Series:
        """With its whole header, and the values of `varying` in all of its slices; NotFoundError when there is none."""
        query = (
            SERIES_ROWS.add_columns(series_headers.c.header)
            .join(series_headers, series_headers.c.series_key == series.c.key)
            .where(series.c.id == series_id, in_scope(scope, series.c.project_id))
        )
        with self.database.reading() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise NotFoundError(f"There is no series {series_id}.", "Look at GET /series?study=ID.")
            (found,) = self._as_series(connection, [row], varying)
        return replace(found, header=row.header)

    def instances_of(self, scope: Scope, one: Series) -> list[Instance]:
        """All instances of a series with their kept attributes and where their bytes lie."""
        query = (
            select(instances.c.sop_instance_uid, instances.c.differs, members.c.pack_id, members.c.offset, members.c.size, members.c.sha256)
            .join(members, members.c.key == instances.c.member_key)
            .where(instances.c.series_key == one.key, in_scope(scope, instances.c.project_id))
            .order_by(instances.c.key)
        )
        with self.database.reading() as connection:
            return [
                Instance(
                    row.sop_instance_uid,
                    merged(one.attributes, row.differs),
                    StoredBytes(row.pack_id, row.offset, row.size, row.sha256),
                )
                for row in connection.execute(query)
            ]

    def series_statuses(self, scope: Scope, wanted: list[Series]) -> dict[str, SeriesStatus]:
        """Projected from the newest workitem that has the series as input, else from the study."""
        study_ids = {one.study_id for one in wanted}
        with self.database.reading() as connection:
            of_series = STUDY_ROWS.where(studies.c.id.in_(study_ids), in_scope(scope, studies.c.project_id))
            standing = {study.id: study.item for study in _studies(connection, of_series)}
            rows = connection.execute(
                WORKITEM_ROWS.where(workitems.c.study_id.in_(study_ids), in_scope(scope, workitems.c.project_id)).order_by(
                    workitems.c.created_at
                )
            )
            newest = {given["series_id"]: (Stage(row.item_stage), Status(row.item_status)) for row in rows for given in row.inputs}
        return {one.id: series_status(standing.get(one.study_id), newest.get(one.id)) for one in wanted}

    # --- findings, matches ----------------------------------------------------------------------------------------------

    def findings(self, scope: Scope, study: Study) -> list[Finding]:
        """Of the study's present revision."""
        query = (
            select(findings)
            .join(studies, studies.c.id == findings.c.study_id)
            .where(findings.c.study_id == study.id, findings.c.revision == study.revision, in_scope(scope, studies.c.project_id))
            .order_by(findings.c.key)
        )
        with self.database.reading() as connection:
            return [_finding(row) for row in connection.execute(query)]

    def verdicts(self, scope: Scope, study: Study) -> list[Mapping[str, Any]]:
        """Why each template matched the study's present revision, or did not."""
        query = (
            select(matches)
            .join(studies, studies.c.id == matches.c.study_id)
            .where(matches.c.study_id == study.id, matches.c.revision == study.revision, in_scope(scope, studies.c.project_id))
            .order_by(matches.c.key)
        )
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def conflicts(self, scope: Scope, study_id: str) -> list[SetAsideMember]:
        """Members that clash with what the study holds."""
        return self._set_aside(scope, members.c.clashing_study_id == study_id, members.c.state == MemberState.CONFLICT)

    def set_aside_of_intake(self, scope: Scope, intake_id: str, limit: int = 100) -> list[SetAsideMember]:
        """What an intake brought that could not be used."""
        return self._set_aside(scope, members.c.intake_id == intake_id, _is_aside(), limit=limit)

    def list_set_aside(self, scope: Scope, page: Page, project: str = "") -> list[SetAsideMember]:
        """All that could not be used and was not deleted."""
        narrowed = [projects.c.name == project] if project and project != ADMIN_PROJECT else []
        return self._set_aside(scope, _is_aside(), members.c.key > int(page.after or 0), *narrowed, limit=page.limit)

    def find_set_aside(self, scope: Scope, key: int) -> SetAsideMember:
        """One of them, or NotFoundError."""
        found = self._set_aside(scope, _is_aside(), members.c.key == key)
        if not found:
            raise NotFoundError(f"Nothing set aside has the id {key}.", "Look at GET /set-aside.")
        return found[0]

    def _set_aside(self, scope: Scope, *wanted: ColumnElement[bool], limit: int = 100) -> list[SetAsideMember]:
        query = (
            select(members, projects.c.name.label("project"))
            .join(intakes, intakes.c.id == members.c.intake_id)
            .join(projects, projects.c.id == intakes.c.project_id)
            .where(in_scope(scope, intakes.c.project_id), *wanted)
            .order_by(members.c.key)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return [
                SetAsideMember(
                    row.key,
                    row.project,
                    row.intake_id,
                    row.file_name,
                    row.reason or "",
                    MemberState(row.state),
                    StoredBytes(row.pack_id, row.offset, row.size, row.sha256),
                )
                for row in connection.execute(query)
            ]

    # --- workitems and results ------------------------------------------------------------------------------------------

    def find_workitem(self, scope: Scope, workitem_id: str) -> Workitem:
        """The workitem, or NotFoundError."""
        query = WORKITEM_ROWS.where(workitems.c.id == workitem_id, in_scope(scope, workitems.c.project_id))
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"There is no workitem {workitem_id}.", "Look at GET /workitems.")
        return _workitem(row)

    def list_workitems(
        self, scope: Scope, *, study_id: str = "", stage: str = "", status: str = "", page: Page | None = None
    ) -> list[Workitem]:
        """Oldest first."""
        query = WORKITEM_ROWS.where(in_scope(scope, workitems.c.project_id)).order_by(workitems.c.created_at, workitems.c.id)
        for column, value in ((workitems.c.study_id, study_id), (items.c.stage, stage), (items.c.status, status)):
            if value:
                query = query.where(column == value)
        if page is not None:
            query = query.limit(page.limit)
            if page.after:
                at, _, workitem_id = page.after.partition(" ")
                moment = datetime.fromisoformat(at)
                query = query.where(
                    or_(workitems.c.created_at > moment, and_(workitems.c.created_at == moment, workitems.c.id > workitem_id))
                )
        with self.database.reading() as connection:
            return [_workitem(row) for row in connection.execute(query)]

    def workitems_of_studies(self, scope: Scope, study_ids: Collection[str]) -> list[Workitem]:
        """All workitems of some studies, oldest first."""
        query = WORKITEM_ROWS.where(workitems.c.study_id.in_(study_ids), in_scope(scope, workitems.c.project_id))
        with self.database.reading() as connection:
            return [_workitem(row) for row in connection.execute(query.order_by(workitems.c.created_at, workitems.c.id))]

    def asked_report_types(self, scope: Scope, study_ids: Collection[str]) -> list[tuple[str, str]]:
        """(study id, report type) of what senders asked for by name."""
        query = (
            select(intake_studies.c.study_id, intakes.c.report_type)
            .join(intakes, intakes.c.id == intake_studies.c.intake_id)
            .where(intake_studies.c.study_id.in_(study_ids), intakes.c.report_type != "", in_scope(scope, intakes.c.project_id))
            .distinct()
            .order_by(intakes.c.report_type)
        )
        with self.database.reading() as connection:
            return [(row.study_id, row.report_type) for row in connection.execute(query)]

    def deidentified(self, scope: Scope, workitem_id: str) -> Iterator[tuple[str, str, StoredBytes]]:
        """(series id, SOP Instance UID, bytes) of a workitem's de-identified instances."""
        query = (
            select(derivatives)
            .join(workitems, workitems.c.id == derivatives.c.workitem_id)
            .where(derivatives.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
            .order_by(derivatives.c.key)
        )
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return ((row.series_id, row.sop_instance_uid, StoredBytes(row.pack_id, row.offset, row.size, row.sha256)) for row in rows)

    def artifacts(self, scope: Scope, workitem_id: str) -> list[Artifact]:
        """A workitem's results by name."""
        return self._artifacts(scope, artifacts.c.workitem_id == workitem_id)

    def find_artifact(self, scope: Scope, artifact_id: str) -> Artifact:
        """One result, or NotFoundError."""
        found = self._artifacts(scope, artifacts.c.id == artifact_id)
        if not found:
            raise NotFoundError(f"There is no artifact {artifact_id}.", "Look at GET /workitems/{id}/artifacts.")
        return found[0]

    def _artifacts(self, scope: Scope, wanted: ColumnElement[bool]) -> list[Artifact]:
        query = (
            select(artifacts)
            .join(workitems, workitems.c.id == artifacts.c.workitem_id)
            .where(wanted, in_scope(scope, workitems.c.project_id), workitems.c.study_id.not_in(_erased))
            .order_by(artifacts.c.name)
        )
        with self.database.reading() as connection:
            return [
                Artifact(row.id, row.workitem_id, row.name, row.media_type, StoredBytes(row.pack_id, row.offset, row.size, row.sha256))
                for row in connection.execute(query)
            ]

    def reviews(self, scope: Scope, workitem_id: str) -> list[Review]:
        """Verdicts on a workitem, oldest first."""
        query = (
            select(reviews)
            .join(workitems, workitems.c.id == reviews.c.workitem_id)
            .where(reviews.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
            .order_by(reviews.c.key)
        )
        with self.database.reading() as connection:
            return [Review(row.verdict, row.reason, row.who, row.at, row.ratings) for row in connection.execute(query)]

    def receipts(self, scope: Scope, workitem_id: str) -> dict[str, Mapping[str, Any]]:
        """Destination -> receipt of what was delivered already."""
        query = (
            select(receipts)
            .join(workitems, workitems.c.id == receipts.c.workitem_id)
            .where(receipts.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
        )
        with self.database.reading() as connection:
            return {row.destination: row.receipt for row in connection.execute(query)}

    # --- the whole ------------------------------------------------------------------------------------------------------

    def standing(self, scope: Scope) -> list[tuple[str, str, str, int]]:
        """(kind, stage, status, number) of all items."""
        query = (
            select(items.c.kind, items.c.stage, items.c.status, func.count().label("number"))
            .where(in_scope(scope, items.c.project_id), items.c.id.not_in(_erased))
            .group_by(items.c.kind, items.c.stage, items.c.status)
            .order_by(items.c.kind, items.c.stage, items.c.status)
        )
        with self.database.reading() as connection:
            return [(row.kind, row.stage, row.status, row.number) for row in connection.execute(query)]


def merged(first: Mapping[str, Any], differs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """An instance's attributes: those of its series' first instance, and what differs from them."""
    if not differs:
        return first
    return {keyword: value for keyword, value in {**first, **differs}.items() if value is not None}


def _is_pending(row: Row[Any]) -> bool:
    """Whether more may come of this intake by itself: it is being imported, or will be. A sender's may go on for hours."""
    is_moving = row.status in (Status.READY, Status.CLAIMED) or (row.status == Status.DEFERRED and row.completed_at is not None)
    return row.sender is None and is_moving


def _is_aside() -> ColumnElement[bool]:
    return members.c.state.in_([MemberState.SET_ASIDE, MemberState.CONFLICT])


def _narrowed(scope: Scope, wanted: StudyFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.project and wanted.project != ADMIN_PROJECT:
        yield projects.c.name == wanted.project
    exact = ((studies.c.study_instance_uid, wanted.study_instance_uid), (items.c.stage, wanted.stage), (items.c.status, wanted.status))
    identity = ((patients.c.patient_id, wanted.patient_id), (studies.c.accession_number, wanted.accession_number))
    for column, value in exact:
        if value:
            yield column == value
    for column, value in identity:
        if value:  # who may not see identities must not find out about them by asking either
            yield column == value if scope.may_see_identity else column.in_([])
    if wanted.text:
        pattern = f"%{_escaped(wanted.text)}%"
        searched = [studies.c.study_instance_uid, studies.c.description]
        if scope.may_see_identity:
            searched += [patients.c.patient_id, patients.c.patient_name, studies.c.accession_number]
        yield or_(*(column.ilike(pattern, escape="\\") for column in searched))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _studies(connection: Connection, query: Select[Any]) -> list[Study]:
    rows = connection.execute(query).all()
    labels: dict[str, list[str]] = {}
    ids = [row.id for row in rows]
    for row in connection.execute(select(study_datasets).where(study_datasets.c.study_id.in_(ids)).order_by(study_datasets.c.dataset)):
        labels.setdefault(row.study_id, []).append(row.dataset)
    return [_study(row, tuple(labels.get(row.id, ()))) for row in rows]


def _study(row: Row[Any], datasets: tuple[str, ...]) -> Study:
    return Study(
        id=row.id,
        project=row.item_project,
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        accession_number=row.accession_number,
        study_date=row.study_date,
        description=row.description,
        revision=row.revision,
        datasets=datasets,
        number_of_series=row.number_of_series,
        number_of_instances=row.number_of_instances,
        created_at=row.created_at,
        last_received_at=row.last_received_at,
        item=_joined_item(row),
    )


def series_of(row: Row[Any]) -> Series:
    """A row of `SERIES_ROWS` as a record."""
    return Series(
        id=row.id,
        key=row.key,
        study_id=row.study_id,
        project=row.project,
        series_instance_uid=row.series_instance_uid,
        modality=row.modality,
        description=row.description,
        number_of_instances=row.number_of_instances,
        attributes=row.attributes,
    )


def _workitem(row: Row[Any]) -> Workitem:
    return Workitem(
        id=row.id,
        project=row.item_project,
        study_id=row.study_id,
        revision=row.revision,
        template=row.template,
        template_version=row.template_version,
        inputs=tuple(SeriesInput(given["series_id"], given["role"]) for given in row.inputs),
        supersedes=row.supersedes or "",
        ticket=row.ticket,
        provenance=row.provenance,
        created_at=row.created_at,
        item=_joined_item(row),
    )


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        check=row.check,
        severity=Severity(row.severity),
        sentence=row.sentence,
        template=row.template,
        series_id=row.series_id or "",
        instances=tuple(row.instances),
    )


class _Prefixed:
    """The item's columns of a joined row, without their prefix."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"item_{name}")


def _joined_item(row: Row[Any]) -> Item:
    return item_of(_Prefixed(row))
