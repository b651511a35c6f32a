"""The DIMSE door: peers, and intakes of senders that never say they are through."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "peers",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("our_ae_title", sa.String(length=16), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("retrieve", sa.String(length=16), nullable=False),
        sa.Column("dicomweb_url", sa.Text(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_peers")),
    )
    op.create_index(op.f("ix_peers_ae_title"), "peers", ["ae_title"])
    # Added one by one: a batch would copy the table, and others refer to it.
    op.add_column("intakes", sa.Column("sender", sa.String(length=160), nullable=True))
    op.add_column("intakes", sa.Column("interrupted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("intakes", sa.Column("imported_until_at", Utc, nullable=True))
    op.create_index(op.f("ix_intakes_sender"), "intakes", ["sender"])
    op.add_column("intake_studies", sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.false()))
