"""Importing's write: a batch of scanned members becomes patients, studies, series and instances, in one transaction."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from hilum.model.identity import Scope
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Intake, MemberState, ScannedInstance, SetAside
from hilum.stores.arriving import arrive
from hilum.stores.database import Database
from hilum.stores.held import HeldInstance, HeldSeries, look_up_instances, look_up_series
from hilum.stores.inserting import chunks, insert_or_ignore
from hilum.stores.intake_rows import find_intake, touch_studies
from hilum.stores.schema import (
    instances,
    members,
    patients,
    series,
    series_headers,
    studies,
    study_datasets,
)
from hilum.stores.scoping import lock_project, project_id_of
from hilum.stores.storable import storable

HeaderReader = Callable[[ScannedInstance], Mapping[str, Any]]
"""Reads the whole header, without bulk values, of the first instance of a series."""
DataSetComparer = Callable[[ScannedInstance, StoredBytes], bool]
"""Whether an instance's data set is, bit for bit and in the same transfer syntax, that of a member that is held."""


@dataclass(slots=True)
class _Known:
    """What the project holds of the UIDs in a batch; grows while the batch is registered."""

    instances: dict[str, HeldInstance] = field(default_factory=dict)  # by SOP Instance UID
    studies: dict[str, tuple[str, int]] = field(default_factory=dict)  # Study Instance UID -> (study id, patient key)
    series: dict[str, "HeldSeries"] = field(default_factory=dict)  # Series Instance UID -> row
    patients: dict[tuple[str, str], int] = field(default_factory=dict)  # (issuer, patient id) -> key


_Headers = Mapping[tuple[str, str, str, str], Mapping[str, Any]]
"""(series, study, and whose they are) -> the header of its first instance: two patients' objects may claim one series."""


@dataclass(slots=True)
class _Reader:
    """What importing reads of members for us. `begin` reads all that is foreseen before the one writer's turn: it may take long."""

    read_header: HeaderReader
    has_same_data_set: DataSetComparer
    headers: _Headers = field(default_factory=dict)
    _compared: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)  # by both members' digests

    def begin(self, scanned: Sequence[ScannedInstance], held: Mapping[str, HeldInstance], held_series: Collection[str]) -> None:
        first = {_whose_series(one): one for one in reversed(scanned) if one.series_instance_uid not in held_series}
        self.headers = {whose: storable(self.read_header(one)) for whose, one in first.items()}
        places = {uid: one.stored for uid, one in held.items()}
        for one in scanned:
            self.is_same(one, places.setdefault(one.sop_instance_uid, one.member.stored))

    def is_same(self, one: ScannedInstance, held: StoredBytes) -> bool:
        """Whether it is the instance that is held; the File Meta group (PS3.10 7.1) belongs to the file and not to the instance."""
        digests = one.member.stored.sha256, held.sha256
        if digests[0] == digests[1]:
            return True
        if digests not in self._compared:
            self._compared[digests] = self.has_same_data_set(one, held)
        return self._compared[digests]


class Registrar:
    """Writes what importing read.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def register(
        self,
        scope: Scope,
        intake_id: str,
        scanned: Sequence[ScannedInstance],
        set_aside: Sequence[SetAside],
        read_header: HeaderReader,
        has_same_data_set: DataSetComparer,
        kept_generation: int,
    ) -> None:
        """All of a batch or nothing of it. Members that were registered before are left alone, so that a batch can run again."""
        reader = _Reader(read_header, has_same_data_set)
        with self.database.reading() as connection:
            project_id = project_id_of(connection, scope, find_intake(connection, scope, intake_id).project)
            held = look_up_instances(connection, project_id, scanned), look_up_series(connection, project_id, scanned)
        reader.begin(scanned, *held)
        with self.database.writing() as connection:
            intake = find_intake(connection, scope, intake_id)
            project_id = project_id_of(connection, scope, intake.project)
            lock_project(connection, project_id)
            batch = _Batch(connection, project_id, intake, scope, self._clock(), reader, kept_generation)
            waiting = _waiting(connection, [one.member.key for one in scanned] + [one.member.key for one in set_aside])
            batch.set_aside([one for one in set_aside if one.member.key in waiting])
            batch.register([_storable(one) for one in scanned if one.member.key in waiting])


class _Batch:
    """One transaction of `Registrar.register`."""

    def __init__(
        self,
        connection: Connection,
        project_id: int,
        intake: Intake,
        scope: Scope,
        now: datetime,
        reader: _Reader,
        kept_generation: int,
    ) -> None:
        self.connection = connection
        self.project_id = project_id
        self.intake = intake
        self.scope = scope
        self.now = now
        self.reader = reader
        self.kept_generation = kept_generation
        self.known = _Known()
        self.placed: list[dict[str, Any]] = []  # members with their new state
        self.new_instances: list[dict[str, Any]] = []
        self.touched: dict[str, int] = {}  # study id -> instances that are new

    def set_aside(self, those: Sequence[SetAside]) -> None:
        for one in those:
            self._place(one.member.key, one.state, None, storable(one.reason))

    def register(self, scanned: Sequence[ScannedInstance]) -> None:
        self._look_up(scanned)
        for one in scanned:
            self._register_one(one)
        if self.new_instances:
            self.connection.execute(insert(instances), self.new_instances)
        self._write_places()
        self._write_counts()
        touch_studies(self.connection, self.intake.id, self.touched)
        for study_id, number in sorted(self.touched.items()):
            if number:
                arrive(self.connection, self.scope, self.now, self.project_id, study_id, number)
        if self.intake.dataset:
            rows = [{"study_id": study_id, "dataset": self.intake.dataset} for study_id in self.touched]
            if rows:
                self.connection.execute(insert_or_ignore(self.connection, study_datasets), rows)

    # --- one instance -------------------------------------------------------------------------------------------------

    def _register_one(self, one: ScannedInstance) -> None:
        held = self.known.instances.get(one.sop_instance_uid)
        if held is not None:
            self._place_held(one, held)
            return
        clash = self._clash(one)
        if clash is not None:
            # It is nobody's part of that study: when the study is deleted these bytes stay.
            self._place(one.member.key, MemberState.CONFLICT, None, clash[1], clashing_study_id=clash[0])
            self.touched.setdefault(clash[0], 0)
            return
        study_id = self._study(one)
        row = self._series(one, study_id)
        self._add(one, study_id, row)

    def _place_held(self, one: ScannedInstance, held: HeldInstance) -> None:
        self.touched.setdefault(held.study_id, 0)
        if self.reader.is_same(one, held.stored):
            self._place(one.member.key, MemberState.ALREADY_HELD, held.study_id, None)
        else:
            why = f"The instance {one.sop_instance_uid} is held already with another data set; the one held is kept."
            self._place(one.member.key, MemberState.CONFLICT, held.study_id, why, clashing_study_id=held.study_id)

    def _clash(self, one: ScannedInstance) -> tuple[str, str] | None:
        """A UID that is held for somebody or something else: (study id, reason)."""
        study = self.known.studies.get(one.study_instance_uid)
        if study is not None and study[1] != self.known.patients.get(_patient_of(one)):
            return study[0], f"The study {one.study_instance_uid} is held for another patient; two patients are never merged."
        row = self.known.series.get(one.series_instance_uid)
        if row is not None and (study is None or study[0] != row.study_id):
            return row.study_id, f"The series {one.series_instance_uid} is held in another study."
        return None

    def _add(self, one: ScannedInstance, study_id: str, row: HeldSeries) -> None:
        row.added += 1
        self.touched[study_id] = self.touched.get(study_id, 0) + 1
        self.known.instances[one.sop_instance_uid] = HeldInstance(one.member.stored, study_id)
        self.new_instances.append(
            {
                "project_id": self.project_id,
                "series_key": row.key,
                "member_key": one.member.key,
                "sop_instance_uid": one.sop_instance_uid,
                "differs": differing(one.attributes, row.attributes),
            }
        )
        self._place(one.member.key, MemberState.IMPORTED, study_id, None)

    def _place(
        self, key: int, state: MemberState, study_id: str | None, reason: str | None, *, clashing_study_id: str | None = None
    ) -> None:
        self.placed.append({"member": key, "new_state": state, "of_study": study_id, "because": reason, "clashes_with": clashing_study_id})

    # --- patients, studies, series: found, or made ----------------------------------------------------------------------

    def _study(self, one: ScannedInstance) -> str:
        known = self.known.studies.get(one.study_instance_uid)
        if known is not None:
            return known[0]
        study_id, patient_key = str(uuid.uuid4()), self._patient(one)
        self.connection.execute(
            insert(studies).values(
                id=study_id,
                project_id=self.project_id,
                patient_key=patient_key,
                study_instance_uid=one.study_instance_uid,
                accession_number=_text(one, "AccessionNumber"),
                study_date=_text(one, "StudyDate"),
                description=_text(one, "StudyDescription"),
                revision=1,
                number_of_series=0,
                number_of_instances=0,
                created_at=self.now,
                last_received_at=self.now,
            )
        )
        self.known.studies[one.study_instance_uid] = (study_id, patient_key)
        return study_id

    def _patient(self, one: ScannedInstance) -> int:
        identity = _patient_of(one)
        known = self.known.patients.get(identity)
        if known is not None:
            return known
        made = self.connection.execute(
            insert(patients)
            .values(
                project_id=self.project_id,
                issuer_of_patient_id=identity[0],
                patient_id=identity[1],
                patient_name=_text(one, "PatientName"),
                patient_birth_date=_text(one, "PatientBirthDate"),
                patient_sex=_text(one, "PatientSex"),
            )
            .returning(patients.c.key)
        ).scalar_one()
        self.known.patients[identity] = made
        return int(made)

    def _series(self, one: ScannedInstance, study_id: str) -> HeldSeries:
        known = self.known.series.get(one.series_instance_uid)
        if known is not None:
            return known
        key = self.connection.execute(
            insert(series)
            .values(
                id=str(uuid.uuid4()),
                project_id=self.project_id,
                study_id=study_id,
                series_instance_uid=one.series_instance_uid,
                modality=_text(one, "Modality"),
                description=_text(one, "SeriesDescription"),
                number_of_instances=0,
                attributes=dict(one.attributes),
                kept_generation=self.kept_generation,
            )
            .returning(series.c.key)
        ).scalar_one()
        self.connection.execute(insert(series_headers).values(series_key=key, header=self.reader.headers[_whose_series(one)]))
        made = HeldSeries(int(key), study_id, one.attributes, self.kept_generation)
        self.known.series[one.series_instance_uid] = made
        self._count_series(study_id)
        return made

    def _count_series(self, study_id: str) -> None:
        counted = studies.c.number_of_series + 1
        self.connection.execute(update(studies).where(studies.c.id == study_id).values(number_of_series=counted))

    # --- what the project holds --------------------------------------------------------------------------------------------

    def _look_up(self, scanned: Sequence[ScannedInstance]) -> None:
        self.known.instances |= look_up_instances(self.connection, self.project_id, scanned)
        for uids in chunks({one.study_instance_uid for one in scanned}):
            query = select(studies.c.study_instance_uid, studies.c.id, studies.c.patient_key).where(
                studies.c.project_id == self.project_id, studies.c.study_instance_uid.in_(uids)
            )
            self.known.studies |= {row.study_instance_uid: (row.id, row.patient_key) for row in self.connection.execute(query)}
        self.known.series |= look_up_series(self.connection, self.project_id, scanned)
        for ids in chunks({_patient_of(one)[1] for one in scanned}):
            query = select(patients).where(patients.c.project_id == self.project_id, patients.c.patient_id.in_(ids))
            self.known.patients |= {(row.issuer_of_patient_id, row.patient_id): row.key for row in self.connection.execute(query)}

    # --- at the end ----------------------------------------------------------------------------------------------------------

    def _write_places(self) -> None:
        if not self.placed:
            return
        statement = (
            update(members)
            .where(members.c.key == bindparam("member"))
            .values(
                state=bindparam("new_state"),
                study_id=bindparam("of_study"),
                reason=bindparam("because"),
                clashing_study_id=bindparam("clashes_with"),
            )
        )
        self.connection.execute(statement, self.placed)

    def _write_counts(self) -> None:
        for row in self.known.series.values():
            if row.added:
                # An instance read before an attribute was named drags its series back: it is filled in again.
                generation = min(row.kept_generation, self.kept_generation)
                counted = series.c.number_of_instances + row.added
                self.connection.execute(
                    update(series).where(series.c.key == row.key).values(number_of_instances=counted, kept_generation=generation)
                )
        for study_id, added in self.touched.items():
            if added:
                counted = studies.c.number_of_instances + added
                self.connection.execute(
                    update(studies).where(studies.c.id == study_id).values(number_of_instances=counted, last_received_at=self.now)
                )


def _storable(one: ScannedInstance) -> ScannedInstance:
    return replace(one, attributes=storable(one.attributes))


def _whose_series(one: ScannedInstance) -> tuple[str, str, str, str]:
    return one.series_instance_uid, one.study_instance_uid, *_patient_of(one)


def _waiting(connection: Connection, keys: Sequence[int]) -> set[int]:
    """The members among `keys` that nobody has registered or deleted meanwhile."""
    found: set[int] = set()
    for some in chunks(keys):
        query = select(members.c.key).where(members.c.key.in_(some), members.c.state == MemberState.RECEIVED)
        found.update(connection.scalars(query))
    return found


def differing(attributes: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any] | None:
    """The attributes that differ from the series' first instance; None stands for one that the first has and this one lacks."""
    differs = {keyword: value for keyword, value in attributes.items() if first.get(keyword) != value}
    differs |= {keyword: None for keyword in first if keyword not in attributes}
    return differs or None


def _patient_of(one: ScannedInstance) -> tuple[str, str]:
    """(IssuerOfPatientID, PatientID). Without a PatientID (Type 2, PS3.3 C.7.1.1) nobody can tell patients apart but by their study."""
    patient_id = _text(one, "PatientID")
    return (_text(one, "IssuerOfPatientID"), patient_id) if patient_id else (f"study {one.study_instance_uid}", "")


def _text(one: ScannedInstance, keyword: str) -> str:
    value = one.attributes.get(keyword)
    if isinstance(value, (list, tuple)):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value)
