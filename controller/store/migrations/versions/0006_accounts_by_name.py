"""accounts found by a part of their names

Revision: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_accounts_username_service_id", "accounts", ["username", "service_id"])


def downgrade() -> None:
    op.drop_index("ix_accounts_username_service_id", table_name="accounts")
