"""The tables of ledger and catalogue, the same on SQLite and PostgreSQL. Changed only together with a file in `migrations/`.

Items (intake, study, workitem) keep their state in one table, `items`; every move leaves a row in `moves`. Instances are a narrow
table: an instance keeps only the attributes that differ from its series' first one.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite would give it back naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        at: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return at


Json = JSON().with_variant(JSONB(), "postgresql")
Key = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself for INTEGER PRIMARY KEY only
Uuid = String(36)
Uid = String(64)  # PS3.5 9.1: at most 64 characters


def _at(name: str, **options: Any) -> Column[Any]:
    return Column(name, UtcTime(), **options)


# --- who ------------------------------------------------------------------------------------------------------------------

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("ae_title", String(16), unique=True),
    Column("accepts", Json, nullable=False),
    Column("quiet_seconds", Integer, nullable=False, server_default="5"),
    Column("retention_days", Integer),
    _at("created_at", nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    _at("created_at", nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("token_sha256", LargeBinary(32), nullable=False, unique=True),
    _at("created_at", nullable=False),
    _at("expires_at"),
    _at("revoked_at"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Key, primary_key=True),
    Column("holder_id", Uuid, nullable=False, index=True),  # a user or a token
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("role", String(16), nullable=False),
    Column("may_see_identity", Boolean, nullable=False),
    UniqueConstraint("holder_id", "project_id"),
)

replies = Table(  # the reply to a change, kept by its Idempotency-Key
    "replies",
    metadata,
    Column("who", String(160), primary_key=True),
    Column("idempotency_key", String(128), primary_key=True),
    Column("request_sha256", LargeBinary(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    _at("at", nullable=False, index=True),
)

# --- where every item stands -------------------------------------------------------------------------------------------------

items = Table(
    "items",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),  # smaller goes first
    _at("since_at", nullable=False),
    _at("not_before_at"),
    _at("lease_until_at"),
    Column("claimed_by", String(64)),
    Index("ix_items_claim", "status", "priority", "since_at"),
    Index("ix_items_due", "status", "not_before_at"),
    Index("ix_items_leases", "status", "lease_until_at"),
    Index("ix_items_place", "kind", "stage", "status"),
)

moves = Table(
    "moves",
    metadata,
    Column("id", Key, primary_key=True),
    Column("item_id", Uuid, nullable=False, index=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    _at("at", nullable=False, index=True),
    Column("who", String(160), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("from_stage", String(16), nullable=False),
    Column("from_status", String(16), nullable=False),
    Column("to_stage", String(16), nullable=False),
    Column("to_status", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("traceback", Text),
)

# --- what came in -----------------------------------------------------------------------------------------------------------

intakes = Table(
    "intakes",
    metadata,
    Column("id", Uuid, primary_key=True),  # also items.id
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("door", String(32), nullable=False),
    Column("report_type", String(64), nullable=False),
    Column("dataset", String(64), nullable=False),
    Column("force_reprocessing", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("who", String(160), nullable=False),
    _at("started_at", nullable=False),
    _at("completed_at"),
    _at("last_received_at"),
    Column("expected_files", Integer),
    Column("imported", Boolean, nullable=False),
    Column("sender", String(160), index=True),  # of a door whose senders never say that they are through: what makes deliveries one
    Column("interrupted", Boolean, nullable=False, server_default=false()),
    _at("imported_until_at"),  # all that was indexed by then is imported
)

peers = Table(  # DICOM application entities that we know (PS3.8 7.1.1.3)
    "peers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("ae_title", String(16), nullable=False, index=True),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("our_ae_title", String(16), nullable=False),  # empty: the setting's
    Column("tls", Boolean, nullable=False),
    Column("retrieve", String(16), nullable=False),  # c-move, c-get, wado
    Column("dicomweb_url", Text, nullable=False),
    _at("created_at", nullable=False),
)

commitment_reports = Table(  # answers to storage commitment (PS3.4 J) whose peers have not confirmed to have heard them
    "commitment_reports",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("calling_ae_title", String(16), nullable=False),
    Column("called_ae_title", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("transaction_uid", Uid, nullable=False),
    Column("committed", Json, nullable=False),  # [[SOP class UID, SOP instance UID], ...]
    Column("failed", Json, nullable=False),
    Column("attempt", Integer, nullable=False),
    _at("owed_at", nullable=False),
    _at("not_before_at", nullable=False, index=True),
)

files = Table(  # what a sender put, by its own name: an instance, or an archive whose members became instances
    "files",
    metadata,
    Column("intake_id", ForeignKey("intakes.id"), primary_key=True),
    Column("name", String(1024), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("offered", Boolean, nullable=False),  # already held in the project: it was not sent again
    Column("skipped", Integer, nullable=False, server_default="0"),  # archive entries that are no images' (folders' droppings)
)

packs = Table(
    "packs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),  # received, deidentified, results
    Column("state", String(16), nullable=False, index=True),  # open, sealed, retired
    Column("size", BigInteger, nullable=False),
    Column("seal_wanted", Boolean, nullable=False),
    _at("created_at", nullable=False),
)

members = Table(  # the pack index
    "members",
    metadata,
    Column("key", Key, primary_key=True),
    Column("pack_id", ForeignKey("packs.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("intake_id", Uuid, nullable=False),  # the delivery, or the workitem that made it
    Column("file_name", String(1024), nullable=False),
    Column("state", String(16), nullable=False),
    Column("study_id", Uuid, index=True),  # whose study it is, or would be: erased with it
    Column("reason", Text),
    Column("clashing_study_id", Uuid),  # the study that a conflict clashes with; erasing that study does not touch it
    UniqueConstraint("pack_id", "offset"),
    Index("ix_members_intake", "intake_id", "state"),
    Index("ix_members_sha256", "sha256"),
)

# --- the catalogue ----------------------------------------------------------------------------------------------------------

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
    _at("created_at", nullable=False, index=True),
    _at("last_received_at", nullable=False),
    UniqueConstraint("project_id", "study_instance_uid"),
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

# --- deciding ---------------------------------------------------------------------------------------------------------------

templates = Table(
    "templates",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", Json, nullable=False),
    Column("newest", Boolean, nullable=False),
    Column("who", String(160), nullable=False),
    _at("created_at", nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("key", Key, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("template", String(64), nullable=False),
    Column("check", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("series_id", Uuid),
    Column("instances", Json, nullable=False),
)

matches = Table(
    "matches",
    metadata,
    Column("key", Key, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("template", String(64), nullable=False),
    Column("template_version", Integer, nullable=False),
    Column("matched", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("explanation", Json, nullable=False),
    _at("at", nullable=False),
)

workitems = Table(
    "workitems",
    metadata,
    Column("id", Uuid, primary_key=True),  # also items.id
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("template", String(64), nullable=False),
    Column("template_version", Integer, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("supersedes", Uuid),
    Column("ticket", Json, nullable=False),
    Column("provenance", Json, nullable=False),
    _at("created_at", nullable=False),
)

derivatives = Table(  # de-identified copies
    "derivatives",
    metadata,
    Column("key", Key, primary_key=True),
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("series_id", Uuid, nullable=False),
    Column("sop_instance_uid", Uid, nullable=False),
    Column("pack_id", ForeignKey("packs.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Index("ix_derivatives_place", "pack_id", "offset"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("pack_id", ForeignKey("packs.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    UniqueConstraint("workitem_id", "name"),
    Index("ix_artifacts_place", "pack_id", "offset"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("key", Key, primary_key=True),
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("ratings", Json, nullable=False),
    Column("who", String(160), nullable=False),
    _at("at", nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), primary_key=True),
    Column("destination", String(128), primary_key=True),
    Column("receipt", Json, nullable=False),
    _at("at", nullable=False),
)

# --- what is gone -----------------------------------------------------------------------------------------------------------

tombstones = Table(
    "tombstones",
    metadata,
    Column("study_id", Uuid, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("study_instance_uid", Uid, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", String(160), nullable=False),
    _at("at", nullable=False),
    _at("erased_at"),  # NULL while bytes are still being erased
)

Index("ix_instances_member", instances.c.member_key)
Index("ix_members_deleted", members.c.pack_id, postgresql_where=text("state = 'deleted'"), sqlite_where=text("state = 'deleted'"))
Index("ix_tombstones_open", tombstones.c.at, postgresql_where=text("erased_at IS NULL"), sqlite_where=text("erased_at IS NULL"))
_aside = text("state IN ('set_aside', 'conflict')")
Index("ix_members_aside", members.c.key, postgresql_where=_aside, sqlite_where=_aside)
_clashing = text("clashing_study_id IS NOT NULL")
Index("ix_members_clashing", members.c.clashing_study_id, postgresql_where=_clashing, sqlite_where=_clashing)
