"""Who calls, with which rights, and what they were answered."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from hilum.stores.schema.columns import Json, Key, Uuid, at, metadata

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
    Column("reidentification", String(8), nullable=False, server_default="never"),  # or "allowed"
    at("created_at", nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    at("created_at", nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("token_sha256", LargeBinary(32), nullable=False, unique=True),
    at("created_at", nullable=False),
    at("expires_at"),
    at("revoked_at"),
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
    at("at", nullable=False, index=True),
)
