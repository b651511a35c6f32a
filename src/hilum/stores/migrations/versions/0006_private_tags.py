"""Names and VRs that the site has given private attributes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "private_tags",
        sa.Column("path", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("vr", sa.String(length=2), nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_private_tags")),
    )
