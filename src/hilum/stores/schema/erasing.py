"""What was deleted."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, text

from hilum.stores.schema.columns import Uid, Uuid, at, metadata

tombstones = Table(
    "tombstones",
    metadata,
    Column("study_id", Uuid, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("study_instance_uid", Uid, nullable=False),
    Column("number_of_instances", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", String(160), nullable=False),
    at("at", nullable=False),
    at("erased_at"),  # NULL while bytes are still being erased
)

Index("ix_tombstones_open", tombstones.c.at, postgresql_where=text("erased_at IS NULL"), sqlite_where=text("erased_at IS NULL"))
