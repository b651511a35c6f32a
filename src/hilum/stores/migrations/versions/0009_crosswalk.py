"""What pseudonyms stand for, sealed; and whether a project's pseudonyms may ever be turned back."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crosswalk",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("owner", sa.LargeBinary(length=16), nullable=False),
        sa.Column("named", sa.SmallInteger(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "digest", "owner", name=op.f("pk_crosswalk")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_crosswalk_owner", "crosswalk", ["project_id", "owner"])
    op.create_table(
        "crosswalk_keys",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_crosswalk_keys_project_id")),
        sa.PrimaryKeyConstraint("project_id", "key_id", name=op.f("pk_crosswalk_keys")),
    )
    op.add_column("projects", sa.Column("reidentification", sa.String(length=8), nullable=False, server_default="never"))
