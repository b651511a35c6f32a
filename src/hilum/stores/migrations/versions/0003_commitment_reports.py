"""Answers to storage commitment that are still owed to their peers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Utc = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "commitment_reports",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("called_ae_title", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("committed", Json, nullable=False),
        sa.Column("failed", Json, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owed_at", Utc, nullable=False),
        sa.Column("not_before_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_commitment_reports_project_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_commitment_reports")),
    )
    op.create_index(op.f("ix_commitment_reports_not_before_at"), "commitment_reports", ["not_before_at"])
