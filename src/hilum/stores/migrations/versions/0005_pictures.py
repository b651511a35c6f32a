"""Pictures of series, kept; those of the series that are held already are wanted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("series_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("icon", sa.String(length=32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=True),
        sa.Column("reference_uid", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["series_key"], ["series.key"], name=op.f("fk_pictures_series_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("series_key", name=op.f("pk_pictures")),
    )
    op.create_index(
        "ix_pictures_wanted", "pictures", ["series_key"], postgresql_where=sa.text("wanted"), sqlite_where=sa.text("wanted = 1")
    )
    op.create_index("ix_pictures_reference", "pictures", ["project_id", "reference_uid"])
    op.execute(
        "INSERT INTO pictures (series_key, project_id, wanted, version, attempts, number_of_instances, icon, why) "
        "SELECT key, project_id, true, 1, 0, number_of_instances, '', '' FROM series"
    )
