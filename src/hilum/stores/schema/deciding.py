"""Which templates there are, what checking found, and what matched."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text

from hilum.stores.schema.columns import Json, Key, Uid, Uuid, at, metadata

templates = Table(
    "templates",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", Json, nullable=False),
    Column("newest", Boolean, nullable=False),
    Column("who", String(160), nullable=False),
    at("created_at", nullable=False),
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
    Column("accepted", Text, nullable=False, server_default=""),  # by whom and why; then it weighs nothing
)

acceptances = Table(  # the white list: findings that people accept
    "acceptances",
    metadata,
    Column("key", Key, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("check", String(64), nullable=False),
    Column("containing", Text, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),  # empty: the whole project
    Column("reason", Text, nullable=False),
    Column("who", String(160), nullable=False),
    at("at", nullable=False),
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
    at("at", nullable=False),
)

private_tags = Table(  # private attributes that the site has given a name and a VR
    "private_tags",
    metadata,
    Column("path", String(128), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("vr", String(2), nullable=False),
    Column("who", String(160), nullable=False),
    at("created_at", nullable=False),
)
