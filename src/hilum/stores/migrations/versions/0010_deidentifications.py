"""What was done to a workitem's inputs when they were de-identified."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deidentifications",
        sa.Column("workitem_id", sa.String(length=36), nullable=False),
        sa.Column("report", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workitem_id"], ["workitems.id"], name=op.f("fk_deidentifications_workitem_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workitem_id", name=op.f("pk_deidentifications")),
    )
