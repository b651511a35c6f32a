"""Series of which attributes that were named late cannot be read: why, and when it is tried again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("series", sa.Column("unreadable", sa.Text(), nullable=False, server_default=""))
    op.add_column("series", sa.Column("read_again_at", sa.DateTime(timezone=True)))
