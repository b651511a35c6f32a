"""What came in: intakes, the files that senders put, and the packs with their index."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from hilum.stores.schema.columns import Json, Key, Uid, Uuid, at, metadata

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
    at("started_at", nullable=False),
    at("completed_at"),
    at("last_received_at"),
    Column("expected_files", Integer),
    Column("imported", Boolean, nullable=False),
    Column("sender", String(160), index=True),  # of a door whose senders never say that they are through: what makes deliveries one
    Column("interrupted", Boolean, nullable=False, server_default=false()),
    at("imported_until_at"),  # all that was indexed by then is imported
    at("ended_at"),  # its sender's last association was over
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
    at("created_at", nullable=False),
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
    Column("failed", Json, nullable=False),  # [[SOP class UID, SOP instance UID, failure reason], ...]; 0112H where it names none
    Column("attempt", Integer, nullable=False),
    at("owed_at", nullable=False),
    at("not_before_at", nullable=False, index=True),
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
    at("created_at", nullable=False),
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

Index("ix_members_deleted", members.c.pack_id, postgresql_where=text("state = 'deleted'"), sqlite_where=text("state = 'deleted'"))
_made = text("state = 'made'")
Index("ix_members_made", members.c.key, postgresql_where=_made, sqlite_where=_made)
_aside = text("state IN ('set_aside', 'conflict')")
Index("ix_members_aside", members.c.key, postgresql_where=_aside, sqlite_where=_aside)
_clashing = text("clashing_study_id IS NOT NULL")
Index("ix_members_clashing", members.c.clashing_study_id, postgresql_where=_clashing, sqlite_where=_clashing)
