"""Workitems and what was made of them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from hilum.stores.schema.columns import Json, Key, Uid, Uuid, at, metadata

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
    at("created_at", nullable=False),
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

deidentifications = Table(  # what was done to a workitem's inputs, without values
    "deidentifications",
    metadata,
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), primary_key=True),
    Column("report", Json, nullable=False),
    at("at", nullable=False),
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
    at("at", nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("workitem_id", ForeignKey("workitems.id", ondelete="CASCADE"), primary_key=True),
    Column("destination", String(128), primary_key=True),
    Column("receipt", Json, nullable=False),
    at("at", nullable=False),
)
