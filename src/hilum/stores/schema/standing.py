"""Where every item stands, and how it came there."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from hilum.stores.schema.columns import Key, Uuid, at, metadata

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
    at("since_at", nullable=False),
    at("not_before_at"),
    at("lease_until_at"),
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
    at("at", nullable=False, index=True),
    Column("who", String(160), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("from_stage", String(16), nullable=False),
    Column("from_status", String(16), nullable=False),
    Column("to_stage", String(16), nullable=False),
    Column("to_status", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("traceback", Text),
    Column("transaction_id", BigInteger, nullable=False, server_default="0"),  # PostgreSQL's; 0 with SQLite, whose ids are in commit order
    Index("ix_moves_committed", "transaction_id", "id"),
    sqlite_autoincrement=True,  # else the id of a deleted move is given again, and who listens has seen it
)
