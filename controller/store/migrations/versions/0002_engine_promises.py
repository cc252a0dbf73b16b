"""the engine's promises: settings, breaker, jobs, long runs, tickets, operation log

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import controller.store.base

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("due_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_until", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("started_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("finished_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "long_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("started_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("finished_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_long_runs")),
    )
    op.create_index(op.f("ix_long_runs_kind"), "long_runs", ["kind"], unique=False)

    op.create_table(
        "operation_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation_log")),
    )
    op.create_index(op.f("ix_operation_log_at"), "operation_log", ["at"], unique=False)
    op.create_index(op.f("ix_operation_log_server_id"), "operation_log", ["server_id"], unique=False)
    op.create_index(op.f("ix_operation_log_service_id"), "operation_log", ["service_id"], unique=False)
    op.create_index(op.f("ix_operation_log_task_id"), "operation_log", ["task_id"], unique=False)

    op.create_table(
        "settings",
        sa.Column("section", sa.String(length=40), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=254), nullable=False),
        sa.PrimaryKeyConstraint("section", name=op.f("pk_settings")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("name", name=op.f("uq_webhooks_name")),
    )
    op.create_table(
        "worker_processes",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("started_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("seen_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_processes")),
    )
    op.create_index(op.f("ix_worker_processes_seen_at"), "worker_processes", ["seen_at"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("lease_until", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("sent_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_deliveries_key")),
    )
    op.create_index("ix_deliveries_status_not_before", "deliveries", ["status", "not_before"], unique=False)
    op.create_index(op.f("ix_deliveries_webhook_id"), "deliveries", ["webhook_id"], unique=False)

    op.create_table(
        "tickets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "status", sa.Enum("open", "closed", name="ticketstatus", native_enum=False, length=20), nullable=False
        ),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("cause", sa.String(length=400), nullable=False),
        sa.Column("error_class", sa.String(length=30), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=True),
        sa.Column("target", sa.String(length=253), nullable=True),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("recovered_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("created_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("updated_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("closed_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["users.id"], name=op.f("fk_tickets_assignee_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_tickets_server_id_servers"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_tickets_service_id_services"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_tickets_task_id_tasks"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
    )
    op.create_index(op.f("ix_tickets_assignee_id"), "tickets", ["assignee_id"], unique=False)
    op.create_index(op.f("ix_tickets_cause"), "tickets", ["cause"], unique=False)
    op.create_index(op.f("ix_tickets_server_id"), "tickets", ["server_id"], unique=False)
    op.create_index(op.f("ix_tickets_service_id"), "tickets", ["service_id"], unique=False)
    op.create_index("ix_tickets_status_updated_at", "tickets", ["status", "updated_at"], unique=False)
    op.create_index(op.f("ix_tickets_task_id"), "tickets", ["task_id"], unique=False)
    op.create_index(
        "uq_tickets_open_cause",
        "tickets",
        ["cause"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )

    op.create_table(
        "ticket_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_notes_ticket_id_tickets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_notes")),
    )
    op.create_index(op.f("ix_ticket_notes_task_id"), "ticket_notes", ["task_id"], unique=False)
    op.create_index(op.f("ix_ticket_notes_ticket_id"), "ticket_notes", ["ticket_id"], unique=False)

    op.execute(
        "INSERT INTO operation_log (at, actor, action, target, result, message, detail) "
        "SELECT at, actor, action, target, 'done', '', detail FROM audit ORDER BY id"
    )
    op.drop_index(op.f("ix_audit_at"), table_name="audit")
    op.drop_table("audit")
    # Columns are added in place: SQLite would empty what refers to a table that is made anew.
    op.add_column("pipelines", sa.Column("run_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_pipelines_run_id"), "pipelines", ["run_id"], unique=False)
    op.add_column("servers", sa.Column("blocked_since", controller.store.base.UTCDateTime(), nullable=True))
    op.add_column("servers", sa.Column("blocked_cause", sa.String(length=30), nullable=True))
    op.add_column("services", sa.Column("verified_at", controller.store.base.UTCDateTime(), nullable=True))
    op.add_column("services", sa.Column("differences", sa.Integer(), nullable=True))
    op.add_column("tasks", sa.Column("tries", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    raise NotImplementedError("this version's tables have no counterpart in the one before")
