"""Moves in the order of their commits; what was made, and how old studies are, without reading whole tables."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MADE = sa.text("state = 'made'")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _number_moves_once()
    else:
        op.add_column("moves", sa.Column("transaction_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_moves_committed", "moves", ["transaction_id", "id"])
    op.create_index("ix_members_made", "members", ["key"], postgresql_where=MADE, sqlite_where=MADE)
    op.create_index("ix_studies_age", "studies", ["project_id", "last_received_at"])


def _number_moves_once() -> None:
    """https://www.sqlite.org/autoincrement.html: a table must be made with AUTOINCREMENT; no other refers to this one."""
    with op.batch_alter_table("moves", recreate="always", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("transaction_id", sa.BigInteger(), nullable=False, server_default="0"))
