"""Alembic's environment: online migrations on the connection or URL it is given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from controller.store import desk_models, fleet_models, models, work_models, zone_models  # noqa: F401  (fill the metadata)
from controller.store.base import Base
from controller.store.database import make_engine


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with make_engine(context.config.attributes["url"]).connect() as opened:
        _run(opened)
        opened.commit()
