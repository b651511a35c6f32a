"""First tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Utc = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kept_attributes",
        sa.Column("keyword", sa.String(length=128), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("keyword", name=op.f("pk_kept_attributes")),
    )
    op.create_table(
        "packs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("seal_wanted", sa.Boolean(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packs")),
    )
    with op.batch_alter_table("packs") as batch_op:
        batch_op.create_index(batch_op.f("ix_packs_state"), ["state"], unique=False)

    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=True),
        sa.Column("accepts", Json, nullable=False),
        sa.Column("quiet_seconds", sa.Integer(), server_default="5", nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("ae_title", name=op.f("uq_projects_ae_title")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "replies",
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("who", "idempotency_key", name=op.f("pk_replies")),
    )
    with op.batch_alter_table("replies") as batch_op:
        batch_op.create_index(batch_op.f("ix_replies_at"), ["at"], unique=False)

    op.create_table(
        "templates",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_templates")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("expires_at", Utc, nullable=True),
        sa.Column("revoked_at", Utc, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_tokens_token_sha256")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "grants",
        sa.Column("id", Key, nullable=False),
        sa.Column("holder_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("may_see_identity", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_grants_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("holder_id", "project_id", name=op.f("uq_grants_holder_id_project_id")),
    )
    with op.batch_alter_table("grants") as batch_op:
        batch_op.create_index(batch_op.f("ix_grants_holder_id"), ["holder_id"], unique=False)

    op.create_table(
        "intakes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("door", sa.String(length=32), nullable=False),
        sa.Column("report_type", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("force_reprocessing", sa.Boolean(), nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("started_at", Utc, nullable=False),
        sa.Column("completed_at", Utc, nullable=True),
        sa.Column("last_received_at", Utc, nullable=True),
        sa.Column("expected_files", sa.Integer(), nullable=True),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_intakes_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intakes")),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("since_at", Utc, nullable=False),
        sa.Column("not_before_at", Utc, nullable=True),
        sa.Column("lease_until_at", Utc, nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_items_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    with op.batch_alter_table("items") as batch_op:
        batch_op.create_index("ix_items_claim", ["status", "priority", "since_at"], unique=False)
        batch_op.create_index("ix_items_due", ["status", "not_before_at"], unique=False)
        batch_op.create_index("ix_items_leases", ["status", "lease_until_at"], unique=False)
        batch_op.create_index("ix_items_place", ["kind", "stage", "status"], unique=False)

    op.create_table(
        "members",
        sa.Column("key", Key, nullable=False),
        sa.Column("pack_id", sa.String(length=36), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("intake_id", sa.String(length=36), nullable=False),
        sa.Column("file_name", sa.String(length=1024), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("clashing_study_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_members_pack_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_members")),
        sa.UniqueConstraint("pack_id", "offset", name=op.f("uq_members_pack_id_offset")),
    )
    with op.batch_alter_table("members") as batch_op:
        batch_op.create_index(
            "ix_members_aside",
            ["key"],
            unique=False,
            postgresql_where=sa.text("state IN ('set_aside', 'conflict')"),
            sqlite_where=sa.text("state IN ('set_aside', 'conflict')"),
        )
        batch_op.create_index(
            "ix_members_clashing",
            ["clashing_study_id"],
            unique=False,
            postgresql_where=sa.text("clashing_study_id IS NOT NULL"),
            sqlite_where=sa.text("clashing_study_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_members_deleted",
            ["pack_id"],
            unique=False,
            postgresql_where=sa.text("state = 'deleted'"),
            sqlite_where=sa.text("state = 'deleted'"),
        )
        batch_op.create_index("ix_members_intake", ["intake_id", "state"], unique=False)
        batch_op.create_index("ix_members_sha256", ["sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_members_study_id"), ["study_id"], unique=False)

    op.create_table(
        "moves",
        sa.Column("id", Key, nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("from_stage", sa.String(length=16), nullable=False),
        sa.Column("from_status", sa.String(length=16), nullable=False),
        sa.Column("to_stage", sa.String(length=16), nullable=False),
        sa.Column("to_status", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_moves_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    with op.batch_alter_table("moves") as batch_op:
        batch_op.create_index(batch_op.f("ix_moves_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_moves_item_id"), ["item_id"], unique=False)

    op.create_table(
        "patients",
        sa.Column("key", Key, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("issuer_of_patient_id", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("patient_name", sa.Text(), nullable=False),
        sa.Column("patient_birth_date", sa.Text(), nullable=False),
        sa.Column("patient_sex", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_patients_project_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_patients")),
        sa.UniqueConstraint(
            "project_id", "issuer_of_patient_id", "patient_id", name=op.f("uq_patients_project_id_issuer_of_patient_id_patient_id")
        ),
    )
    op.create_table(
        "tombstones",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("erased_at", Utc, nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_tombstones_project_id")),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_tombstones")),
    )
    with op.batch_alter_table("tombstones") as batch_op:
        batch_op.create_index(
            "ix_tombstones_open",
            ["at"],
            unique=False,
            postgresql_where=sa.text("erased_at IS NULL"),
            sqlite_where=sa.text("erased_at IS NULL"),
        )

    op.create_table(
        "files",
        sa.Column("intake_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["intake_id"], ["intakes.id"], name=op.f("fk_files_intake_id")),
        sa.PrimaryKeyConstraint("intake_id", "name", name=op.f("pk_files")),
    )
    op.create_table(
        "studies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("patient_key", Key, nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column("study_date", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("number_of_series", sa.Integer(), nullable=False),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("last_received_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["patient_key"], ["patients.key"], name=op.f("fk_studies_patient_key")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_studies_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("project_id", "study_instance_uid", name=op.f("uq_studies_project_id_study_instance_uid")),
    )
    with op.batch_alter_table("studies") as batch_op:
        batch_op.create_index(batch_op.f("ix_studies_accession_number"), ["accession_number"], unique=False)
        batch_op.create_index(batch_op.f("ix_studies_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_studies_patient_key"), ["patient_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_studies_study_instance_uid"), ["study_instance_uid"], unique=False)

    op.create_table(
        "findings",
        sa.Column("key", Key, nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("series_id", sa.String(length=36), nullable=True),
        sa.Column("instances", Json, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_findings_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_findings")),
    )
    with op.batch_alter_table("findings") as batch_op:
        batch_op.create_index(batch_op.f("ix_findings_study_id"), ["study_id"], unique=False)

    op.create_table(
        "intake_studies",
        sa.Column("intake_id", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("new_instances", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["intake_id"], ["intakes.id"], name=op.f("fk_intake_studies_intake_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_intake_studies_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("intake_id", "study_id", name=op.f("pk_intake_studies")),
    )
    with op.batch_alter_table("intake_studies") as batch_op:
        batch_op.create_index(batch_op.f("ix_intake_studies_study_id"), ["study_id"], unique=False)

    op.create_table(
        "matches",
        sa.Column("key", Key, nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("explanation", Json, nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_matches_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_matches")),
    )
    with op.batch_alter_table("matches") as batch_op:
        batch_op.create_index(batch_op.f("ix_matches_study_id"), ["study_id"], unique=False)

    op.create_table(
        "series",
        sa.Column("key", Key, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("number_of_instances", sa.Integer(), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("kept_generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_series_project_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_series_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_series")),
        sa.UniqueConstraint("id", name=op.f("uq_series_id")),
        sa.UniqueConstraint("project_id", "series_instance_uid", name=op.f("uq_series_project_id_series_instance_uid")),
    )
    with op.batch_alter_table("series") as batch_op:
        batch_op.create_index(batch_op.f("ix_series_kept_generation"), ["kept_generation"], unique=False)
        batch_op.create_index(batch_op.f("ix_series_study_id"), ["study_id"], unique=False)

    op.create_table(
        "study_datasets",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_study_datasets_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id", "dataset", name=op.f("pk_study_datasets")),
    )
    op.create_table(
        "workitems",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("inputs", Json, nullable=False),
        sa.Column("supersedes", sa.String(length=36), nullable=True),
        sa.Column("ticket", Json, nullable=False),
        sa.Column("provenance", Json, nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_workitems_project_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_workitems_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workitems")),
    )
    with op.batch_alter_table("workitems") as batch_op:
        batch_op.create_index(batch_op.f("ix_workitems_study_id"), ["study_id"], unique=False)

    op.create_table(
        "artifacts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workitem_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("pack_id", sa.String(length=36), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_artifacts_pack_id")),
        sa.ForeignKeyConstraint(["workitem_id"], ["workitems.id"], name=op.f("fk_artifacts_workitem_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
        sa.UniqueConstraint("workitem_id", "name", name=op.f("uq_artifacts_workitem_id_name")),
    )
    with op.batch_alter_table("artifacts") as batch_op:
        batch_op.create_index("ix_artifacts_place", ["pack_id", "offset"], unique=False)
        batch_op.create_index(batch_op.f("ix_artifacts_workitem_id"), ["workitem_id"], unique=False)

    op.create_table(
        "derivatives",
        sa.Column("key", Key, nullable=False),
        sa.Column("workitem_id", sa.String(length=36), nullable=False),
        sa.Column("series_id", sa.String(length=36), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("pack_id", sa.String(length=36), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_derivatives_pack_id")),
        sa.ForeignKeyConstraint(["workitem_id"], ["workitems.id"], name=op.f("fk_derivatives_workitem_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_derivatives")),
    )
    with op.batch_alter_table("derivatives") as batch_op:
        batch_op.create_index("ix_derivatives_place", ["pack_id", "offset"], unique=False)
        batch_op.create_index(batch_op.f("ix_derivatives_workitem_id"), ["workitem_id"], unique=False)

    op.create_table(
        "instances",
        sa.Column("key", Key, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("series_key", Key, nullable=False),
        sa.Column("member_key", Key, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("differs", Json, nullable=True),
        sa.ForeignKeyConstraint(["series_key"], ["series.key"], name=op.f("fk_instances_series_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_instances")),
        sa.UniqueConstraint("project_id", "sop_instance_uid", name=op.f("uq_instances_project_id_sop_instance_uid")),
    )
    with op.batch_alter_table("instances") as batch_op:
        batch_op.create_index("ix_instances_member", ["member_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_series_key"), ["series_key"], unique=False)

    op.create_table(
        "receipts",
        sa.Column("workitem_id", sa.String(length=36), nullable=False),
        sa.Column("destination", sa.String(length=128), nullable=False),
        sa.Column("receipt", Json, nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["workitem_id"], ["workitems.id"], name=op.f("fk_receipts_workitem_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workitem_id", "destination", name=op.f("pk_receipts")),
    )
    op.create_table(
        "reviews",
        sa.Column("key", Key, nullable=False),
        sa.Column("workitem_id", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ratings", Json, nullable=False),
        sa.Column("who", sa.String(length=160), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["workitem_id"], ["workitems.id"], name=op.f("fk_reviews_workitem_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_reviews")),
    )
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.create_index(batch_op.f("ix_reviews_workitem_id"), ["workitem_id"], unique=False)

    op.create_table(
        "series_headers",
        sa.Column("series_key", Key, autoincrement=False, nullable=False),
        sa.Column("header", Json, nullable=False),
        sa.ForeignKeyConstraint(["series_key"], ["series.key"], name=op.f("fk_series_headers_series_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("series_key", name=op.f("pk_series_headers")),
    )


def downgrade() -> None:
    op.drop_table("series_headers")
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.drop_index(batch_op.f("ix_reviews_workitem_id"))

    op.drop_table("reviews")
    op.drop_table("receipts")
    with op.batch_alter_table("instances") as batch_op:
        batch_op.drop_index(batch_op.f("ix_instances_series_key"))
        batch_op.drop_index("ix_instances_member")

    op.drop_table("instances")
    with op.batch_alter_table("derivatives") as batch_op:
        batch_op.drop_index(batch_op.f("ix_derivatives_workitem_id"))
        batch_op.drop_index("ix_derivatives_place")

    op.drop_table("derivatives")
    with op.batch_alter_table("artifacts") as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifacts_workitem_id"))
        batch_op.drop_index("ix_artifacts_place")

    op.drop_table("artifacts")
    with op.batch_alter_table("workitems") as batch_op:
        batch_op.drop_index(batch_op.f("ix_workitems_study_id"))

    op.drop_table("workitems")
    op.drop_table("study_datasets")
    with op.batch_alter_table("series") as batch_op:
        batch_op.drop_index(batch_op.f("ix_series_study_id"))
        batch_op.drop_index(batch_op.f("ix_series_kept_generation"))

    op.drop_table("series")
    with op.batch_alter_table("matches") as batch_op:
        batch_op.drop_index(batch_op.f("ix_matches_study_id"))

    op.drop_table("matches")
    with op.batch_alter_table("intake_studies") as batch_op:
        batch_op.drop_index(batch_op.f("ix_intake_studies_study_id"))

    op.drop_table("intake_studies")
    with op.batch_alter_table("findings") as batch_op:
        batch_op.drop_index(batch_op.f("ix_findings_study_id"))

    op.drop_table("findings")
    with op.batch_alter_table("studies") as batch_op:
        batch_op.drop_index(batch_op.f("ix_studies_study_instance_uid"))
        batch_op.drop_index(batch_op.f("ix_studies_patient_key"))
        batch_op.drop_index(batch_op.f("ix_studies_created_at"))
        batch_op.drop_index(batch_op.f("ix_studies_accession_number"))

    op.drop_table("studies")
    op.drop_table("files")
    with op.batch_alter_table("tombstones") as batch_op:
        batch_op.drop_index("ix_tombstones_open", postgresql_where=sa.text("erased_at IS NULL"), sqlite_where=sa.text("erased_at IS NULL"))

    op.drop_table("tombstones")
    op.drop_table("patients")
    with op.batch_alter_table("moves") as batch_op:
        batch_op.drop_index(batch_op.f("ix_moves_item_id"))
        batch_op.drop_index(batch_op.f("ix_moves_at"))

    op.drop_table("moves")
    with op.batch_alter_table("members") as batch_op:
        batch_op.drop_index(batch_op.f("ix_members_study_id"))
        batch_op.drop_index("ix_members_sha256")
        batch_op.drop_index("ix_members_intake")
        batch_op.drop_index("ix_members_deleted", postgresql_where=sa.text("state = 'deleted'"), sqlite_where=sa.text("state = 'deleted'"))
        batch_op.drop_index(
            "ix_members_clashing",
            postgresql_where=sa.text("clashing_study_id IS NOT NULL"),
            sqlite_where=sa.text("clashing_study_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_members_aside",
            postgresql_where=sa.text("state IN ('set_aside', 'conflict')"),
            sqlite_where=sa.text("state IN ('set_aside', 'conflict')"),
        )

    op.drop_table("members")
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_index("ix_items_place")
        batch_op.drop_index("ix_items_leases")
        batch_op.drop_index("ix_items_due")
        batch_op.drop_index("ix_items_claim")

    op.drop_table("items")
    op.drop_table("intakes")
    with op.batch_alter_table("grants") as batch_op:
        batch_op.drop_index(batch_op.f("ix_grants_holder_id"))

    op.drop_table("grants")
    op.drop_table("users")
    op.drop_table("tokens")
    op.drop_table("templates")
    with op.batch_alter_table("replies") as batch_op:
        batch_op.drop_index(batch_op.f("ix_replies_at"))

    op.drop_table("replies")
    op.drop_table("projects")
    with op.batch_alter_table("packs") as batch_op:
        batch_op.drop_index(batch_op.f("ix_packs_state"))

    op.drop_table("packs")
    op.drop_table("kept_attributes")
