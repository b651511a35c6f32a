"""The schema's versions, by Alembic, without a configuration file: `upgrade` at every start, the history in `migrations/versions`."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from hilum.model.errors import HilumError
from hilum.stores.database import Database

HEAD = "0011"
FOLDER = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Bring the database to this version. A newer one is refused: an older Hilum would misread it."""
    with database.reading() as connection:
        at = version_of(connection)
    if at == HEAD:
        return
    if at is not None and at > HEAD:
        raise HilumError(f"The database is of a newer Hilum (schema {at}, this one knows {HEAD}).", "Start the newer version.")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def version_of(connection: Connection) -> str | None:
    """The schema version of a database; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
