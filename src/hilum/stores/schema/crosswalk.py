"""What pseudonyms stand for, sealed with keys that are not here."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Table

from hilum.stores.schema.columns import metadata

# One row a pseudonym and study: no link in clear leads from a row to a study, a patient or an image.
crosswalk = Table(
    "crosswalk",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(16), primary_key=True),
    Column("owner", LargeBinary(16), primary_key=True),
    Column("named", SmallInteger, nullable=False),
    Column("key_id", LargeBinary(8), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_crosswalk_owner", "project_id", "owner"),
    sqlite_with_rowid=False,  # half as large: the row lies in the index it is found by
)

crosswalk_keys = Table(  # which keys rows of a project were ever sealed with
    "crosswalk_keys",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("key_id", String(16), primary_key=True),
)
