"""Series and their instances."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from hilum.model.errors import NotFoundError
from hilum.model.identity import Scope
from hilum.model.lifecycle import Stage, Status
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Instance, Series
from hilum.model.series_status import Choice, SeriesStanding, standing_of_series
from hilum.stores.catalogue.excerpts import Excerpt
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.rows import SERIES_ROWS, STUDY_ROWS, WORKITEM_ROWS, series_of, studies_of
from hilum.stores.catalogue.slices import NEVER, Unread, chunked, kept_generations, with_others
from hilum.stores.database import Database
from hilum.stores.schema import instances, intake_studies, intakes, matches, members, projects, series, series_headers, studies, workitems
from hilum.stores.scoping import in_scope

STUDIES_A_TIME = 200


class SeriesQueries:
    """Series, their instances, and how each stands for an operator."""

    database: Database

    def list_series(self, scope: Scope, study_id: str = "", page: Page | None = None, *, varying: Collection[str] = ()) -> list[Series]:
        """Series of a study, or of all, by key; with the values of `varying` in all of their slices."""
        query = SERIES_ROWS.where(in_scope(scope, series.c.project_id)).order_by(series.c.key)
        if study_id:
            query = query.where(series.c.study_id == study_id)
        if page is not None:
            query = query.where(series.c.key > int(page.after or 0)).limit(page.limit)
        with self.database.reading() as connection:
            return _as_series(connection, connection.execute(query).all(), varying)

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
            (found,) = _as_series(connection, [row], varying)
        return replace(found, header=row.header)

    def recent_series(self, scope: Scope, since: datetime, names: Collection[str]) -> Iterator[dict[str, list[Series]]]:
        """The series of all studies that received something since then, some studies at a time: study id -> its series.

        Args:
            names: the attributes that are wanted; others may be left out, and those that are not kept at all are `unread`.
        """
        recent = select(studies.c.id).where(studies.c.last_received_at >= since, in_scope(scope, studies.c.project_id))
        excerpt = Excerpt(names)
        with self.database.reading() as connection:
            study_ids = list(connection.scalars(recent.order_by(studies.c.id)))
            unread = Unread(dict.fromkeys(names, NEVER) | kept_generations(connection))
            rows = SERIES_ROWS.with_only_columns(*_RECENT_COLUMNS, excerpt.column(connection.dialect)).order_by(series.c.key)
        for some in chunked(study_ids, STUDIES_A_TIME):
            by_study: dict[str, list[Series]] = {}
            with self.database.reading() as connection:
                # By place: a row's columns by their names would cost as much as judging it.
                for id_, key, study_id, project, uid, modality, said, number, generation, text in connection.execute(
                    rows.where(series.c.study_id.in_(some))
                ):
                    known = excerpt.read(text)
                    one = Series(id_, key, study_id, project, uid, modality, said, number, known, unread=unread.at(generation))
                    by_study.setdefault(study_id, []).append(one)
            yield by_study

    def with_slices(self, scope: Scope, found: Sequence[Series], varying: Collection[str]) -> list[Series]:
        """The same series with the values of `varying` in all of their slices."""
        with self.database.reading() as connection:
            return with_others(connection, [one for one in found if scope.sees(one.project)], varying)

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

    def series_statuses(self, scope: Scope, wanted: list[Series]) -> dict[str, SeriesStanding]:
        """Projected from the newest workitem that has the series as input, else from the study."""
        study_ids = {one.study_id for one in wanted}
        with self.database.reading() as connection:
            of_series = STUDY_ROWS.where(studies.c.id.in_(study_ids), in_scope(scope, studies.c.project_id))
            standing = {study.id: (study.item.stage, study.item.status) for study in studies_of(connection, of_series)}
            rows = connection.execute(
                WORKITEM_ROWS.where(workitems.c.study_id.in_(study_ids), in_scope(scope, workitems.c.project_id)).order_by(
                    workitems.c.created_at
                )
            )
            newest = {given["series_id"]: (Stage(row.item_stage), Status(row.item_status)) for row in rows for given in row.inputs}
            choices = _choices(connection, {one for one, (stage, status) in standing.items() if (stage, status) == HELD_AT_MATCHING})
        return {
            one.id: standing_of_series(standing.get(one.study_id), newest.get(one.id), choices.get(one.study_id, Choice()))
            for one in wanted
        }


_RECENT_COLUMNS = (
    series.c.id,
    series.c.key,
    series.c.study_id,
    projects.c.name,
    series.c.series_instance_uid,
    series.c.modality,
    series.c.description,
    series.c.number_of_instances,
    series.c.kept_generation,
)


def _as_series(connection: Connection, rows: Sequence[Row[Any]], varying: Collection[str]) -> list[Series]:
    unread = Unread(kept_generations(connection))
    found = [series_of(row, unread.at(row.kept_generation)) for row in rows]
    return with_others(connection, found, varying) if varying else found


HELD_AT_MATCHING = (Stage.MATCHING, Status.HELD)


def _choices(connection: Connection, study_ids: Collection[str]) -> dict[str, Choice]:
    """What matching found for some studies, at their present revision."""
    present = and_(studies.c.id == matches.c.study_id, studies.c.revision == matches.c.revision)
    verdicts = select(matches.c.study_id, matches.c.matched).join(studies, present).where(matches.c.study_id.in_(study_ids))
    found: dict[str, list[bool]] = {study_id: [] for study_id in study_ids}
    for row in connection.execute(verdicts):
        found[row.study_id].append(row.matched)
    named = (
        select(intake_studies.c.study_id, func.count(intakes.c.report_type.distinct()).label("number"))
        .join(intakes, intakes.c.id == intake_studies.c.intake_id)
        .where(intake_studies.c.study_id.in_(study_ids), intakes.c.report_type != "")
        .group_by(intake_studies.c.study_id)
    )
    by_name = {row.study_id: row.number for row in connection.execute(named)}
    return {one: Choice(len(matched), sum(matched), by_name.get(one, 0) > 0) for one, matched in found.items()}


def merged(first: Mapping[str, Any], differs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """An instance's attributes: those of its series' first instance, and what differs from them."""
    if not differs:
        return first
    return {keyword: value for keyword, value in {**first, **differs}.items() if value is not None}
