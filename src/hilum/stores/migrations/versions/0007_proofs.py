"""When a sender's associations were over: a proof that a study is complete."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("intakes", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
