"""The catalogue. Instances are a narrow table: one keeps only the attributes that differ from its series' first one."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, false

from hilum.stores.schema.columns import Json, Key, Uid, Uuid, at, metadata

patients = Table(
    "patients",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("issuer_of_patient_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("patient_name", Text, nullable=False),
    Column("patient_birth_date", Text, nullable=False),
    Column("patient_sex", Text, nullable=False),
    UniqueConstraint("project_id", "issuer_of_patient_id", "patient_id"),
)

studies = Table(
    "studies",
    metadata,
    Column("id", Uuid, primary_key=True),  # also items.id
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("patient_key", ForeignKey("patients.key"), nullable=False, index=True),
    Column("study_instance_uid", Uid, nullable=False, index=True),
    Column("accession_number", Text, nullable=False, index=True),
    Column("study_date", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("number_of_series", Integer, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    at("created_at", nullable=False, index=True),
    at("last_received_at", nullable=False),
    UniqueConstraint("project_id", "study_instance_uid"),
    Index("ix_studies_age", "project_id", "last_received_at"),
)

study_datasets = Table(
    "study_datasets",
    metadata,
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("dataset", String(64), primary_key=True),
)

intake_studies = Table(  # which studies an intake touched, and what it asks of them
    "intake_studies",
    metadata,
    Column("intake_id", ForeignKey("intakes.id"), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("new_instances", Integer, nullable=False),
    Column("told", Boolean, nullable=False, server_default=false()),  # the study knows of what importing found last
    Column("answered", Boolean, nullable=False),
)

series = Table(
    "series",
    metadata,
    Column("key", Key, primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("series_instance_uid", Uid, nullable=False),
    Column("modality", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    Column("attributes", Json, nullable=False),  # the kept attributes of the first instance
    Column("kept_generation", Integer, nullable=False, index=True),  # up to which generation of `kept_attributes` they were read
    Column("unreadable", Text, nullable=False, server_default=""),  # why later ones cannot be read from its packs; empty: they can
    at("read_again_at", nullable=True),  # not before then is it tried again
    UniqueConstraint("project_id", "series_instance_uid"),
)

series_headers = Table(  # the whole header of the first instance, without bulk values
    "series_headers",
    metadata,
    Column("series_key", ForeignKey("series.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("header", Json, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("series_key", ForeignKey("series.key", ondelete="CASCADE"), nullable=False, index=True),
    Column("member_key", Key, nullable=False),
    Column("sop_instance_uid", Uid, nullable=False),
    Column("differs", Json),  # kept attributes that differ from the series' first instance
    UniqueConstraint("project_id", "sop_instance_uid"),
)

kept_attributes = Table(
    "kept_attributes",
    metadata,
    Column("keyword", String(128), primary_key=True),
    Column("generation", Integer, nullable=False),
)

Index("ix_instances_member", instances.c.member_key)
