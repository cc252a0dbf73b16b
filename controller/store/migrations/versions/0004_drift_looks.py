"""drift checks look at servers, not at services

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drift_looks",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("looked", sa.Boolean(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["long_runs.id"], name=op.f("fk_drift_looks_run_id_long_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "service_id", "server_id", name=op.f("pk_drift_looks")),
    )
    op.create_index(
        op.f("ix_drift_looks_run_id_looked_server_id"),
        "drift_looks",
        ["run_id", "looked", "server_id", "service_id"],
        unique=False,
    )
    # A check that was under way was of another kind: it ends here, and the next night looks again.
    op.execute(
        "UPDATE long_runs SET finished_at = started_at, cancelled = true "
        "WHERE kind = 'drift-check' AND finished_at IS NULL"
    )


def downgrade() -> None:
    raise NotImplementedError("this version's tables have no counterpart in the one before")
