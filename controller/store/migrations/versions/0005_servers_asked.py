"""when servers were asked, serials of any size

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import controller.store.base

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("status_asked_at", controller.store.base.UTCDateTime(), nullable=True))
    op.add_column("servers", sa.Column("usage_asked_at", controller.store.base.UTCDateTime(), nullable=True))
    # Nothing refers to this table, so SQLite may make it anew.
    with op.batch_alter_table("zone_answers") as table:
        table.alter_column("serial", type_=sa.BigInteger(), existing_type=sa.Integer(), existing_nullable=True)


def downgrade() -> None:
    raise NotImplementedError("serials of this version do not fit into the one before")
