"""Which studies there are, whose they are, and what is asked of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select, union_all

from hilum.model.completeness import GatheringPolicy, expected_counts_of
from hilum.model.errors import NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.lifecycle import Status
from hilum.model.records import MemberState, Request, Study
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.rows import STUDY_ROWS, studies_of
from hilum.stores.database import Database
from hilum.stores.schema import intake_studies, intakes, items, members, patients, projects, series, studies, workitems
from hilum.stores.scoping import in_scope


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


class StudyQueries:
    """Studies, and the intakes that touched them."""

    database: Database

    def find_study(self, scope: Scope, study: str) -> Study:
        """By our id, Study Instance UID, accession number or a workitem's id; NotFoundError when none or when several fit."""
        names = [studies.c.id, studies.c.study_instance_uid]  # one after the other: an OR of both would look at every study
        if scope.may_see_identity:
            names.append(studies.c.accession_number)
        rows: list[Study] = []
        with self.database.reading() as connection:
            for column in names:
                if study and not rows:
                    rows = studies_of(connection, STUDY_ROWS.where(column == study, in_scope(scope, studies.c.project_id)).limit(2))
            if not rows:
                its = select(workitems.c.study_id).where(workitems.c.id == study)
                rows = studies_of(connection, STUDY_ROWS.where(studies.c.id.in_(its), in_scope(scope, studies.c.project_id)).limit(2))
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
            return studies_of(connection, query)

    def studies_of_intake(self, scope: Scope, intake_id: str) -> list[Study]:
        """The studies that an intake touched, or asked for."""
        touched = select(intake_studies.c.study_id).where(intake_studies.c.intake_id == intake_id)
        query = STUDY_ROWS.where(studies.c.id.in_(touched), in_scope(scope, studies.c.project_id)).order_by(
            studies.c.created_at, studies.c.id
        )
        with self.database.reading() as connection:
            return studies_of(connection, query)

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
        """What intakes ask of a study, oldest first; of what they announce, all but what is said of their other studies."""
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
            rows = connection.execute(query).all()
            announced = {row.id: expected for row in rows if (expected := expected_counts_of(row.metadata))}
            of_others = _uids_of_others(connection, study_id, list(announced)) if announced else frozenset()
        return [_request(row, {uid: number for uid, number in announced.get(row.id, {}).items() if uid not in of_others}) for row in rows]

    def gathering_policy(self, scope: Scope, project: str) -> GatheringPolicy:
        """What a project accepts as a proof that a study is complete, and how long it must be quiet without one."""
        query = select(projects.c.quiet_seconds, projects.c.accepts).where(projects.c.name == project, in_scope(scope, projects.c.id))
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"There is no project {project!r}.", "Look at GET /projects.")
        return GatheringPolicy(row.quiet_seconds, row.accepts.get("proofs"))


def _uids_of_others(connection: Connection, study_id: str, intake_ids: Sequence[str]) -> frozenset[str]:
    """The UIDs of the other studies that these intakes touched, and of their series."""
    touched = select(intake_studies.c.study_id).where(intake_studies.c.intake_id.in_(intake_ids), intake_studies.c.study_id != study_id)
    uids = union_all(
        select(studies.c.study_instance_uid).where(studies.c.id.in_(touched)),
        select(series.c.series_instance_uid).where(series.c.study_id.in_(touched)),
    )
    return frozenset(connection.scalars(uids))


def _request(row: Row[Any], expected: dict[str, int]) -> Request:
    return Request(
        row.id,
        row.report_type,
        row.force_reprocessing,
        row.completed_at is not None,
        row.imported,
        row.answered,
        _is_pending(row),
        row.waiting,
        row.imported_until_at,
        _has_ended(row),
        expected,
    )


def _has_ended(row: Row[Any]) -> bool:
    """Whether the associations of this sender are over; what the last of them brought may be indexed a moment after its end."""
    return row.ended_at is not None and row.ended_at + timedelta(seconds=1) >= (row.last_received_at or row.started_at)


def _is_pending(row: Row[Any]) -> bool:
    """Whether more may come of this intake by itself: it is being imported, or will be. A sender's may go on for hours."""
    is_moving = row.status in (Status.READY, Status.CLAIMED) or (row.status == Status.DEFERRED and row.completed_at is not None)
    return row.sender is None and is_moving


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
