"""Rows of the catalogue as records: the three joins that every query begins with. What was deleted is in none of them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from hilum.model.lifecycle import Item
from hilum.model.outcomes import SeriesInput
from hilum.model.records import Series, Study, Workitem
from hilum.stores.moving import ITEM_COLUMNS, item_of
from hilum.stores.schema import items, patients, projects, series, studies, study_datasets, tombstones, workitems

ERASED = select(tombstones.c.study_id)
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
    .where(studies.c.id.not_in(ERASED))
)
SERIES_ROWS = (
    select(series, projects.c.name.label("project"))
    .join(projects, projects.c.id == series.c.project_id)
    .where(series.c.study_id.not_in(ERASED))
)
WORKITEM_ROWS = (
    select(workitems, *(column.label(f"item_{column.name}") for column in ITEM_COLUMNS))
    .join(items, items.c.id == workitems.c.id)
    .join(projects, projects.c.id == workitems.c.project_id)
    .where(workitems.c.study_id.not_in(ERASED))
)


def studies_of(connection: Connection, query: Select[Any]) -> list[Study]:
    """The studies of a query on `STUDY_ROWS`, with their datasets."""
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


def series_of(row: Row[Any], unread: Collection[str] = ()) -> Series:
    """A series of a row of `SERIES_ROWS`."""
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
        unread=unread,
        unreadable=row.unreadable,
    )


def workitem_of(row: Row[Any]) -> Workitem:
    """A workitem of a row of `WORKITEM_ROWS`."""
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


class _Prefixed:
    """The item's columns of a joined row, without their prefix."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"item_{name}")


def _joined_item(row: Row[Any]) -> Item:
    return item_of(_Prefixed(row))
