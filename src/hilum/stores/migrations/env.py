"""Alembic's entry: it works on the connection it is handed."""

from alembic import context

from hilum.stores.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
