"""The picture of each series: made by workers when its study was checked, and again when what it lies on arrives."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from hilum.stores.schema.columns import Uid, at, metadata

pictures = Table(
    "pictures",
    metadata,
    Column("series_key", ForeignKey("series.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("project_id", Integer, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),  # grows with every wish: what was drawn for an earlier one is not kept as the last
    Column("attempts", Integer, nullable=False),
    at("claimed_until_at"),
    Column("number_of_instances", Integer, nullable=False),  # of the series when it was last wanted
    Column("icon", String(32), nullable=False),  # what stands for a series without a picture; empty where it has one
    Column("why", Text, nullable=False),  # why it has none, or lacks its overlay
    Column("png", LargeBinary),
    Column("reference_uid", Uid),  # SeriesInstanceUID of what a segmentation or structure set lies on, as long as that is not held
)

# As each database writes a truth value: SQLite takes a partial index only for the very words of a query.
Index("ix_pictures_wanted", pictures.c.series_key, postgresql_where=text("wanted"), sqlite_where=text("wanted = 1"))
Index("ix_pictures_reference", pictures.c.project_id, pictures.c.reference_uid)
