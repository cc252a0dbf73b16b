"""the fleet: server states and views, group configuration, zones and templates, usage

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import controller.store.base

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "zone_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("records", sa.JSON(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("updated_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zone_templates")),
        sa.UniqueConstraint("name", name=op.f("uq_zone_templates_name")),
    )
    op.create_table(
        "standard_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("server_name", sa.String(length=63), nullable=False),
        sa.Column("updated_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["server_groups.id"],
            name=op.f("fk_standard_files_group_id_server_groups"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standard_files")),
        sa.UniqueConstraint("group_id", "name", name=op.f("uq_standard_files_group_id_name")),
    )
    op.create_table(
        "server_samples",
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("load", sa.Double(), nullable=True),
        sa.Column("cpu", sa.Double(), nullable=True),
        sa.Column("memory", sa.Double(), nullable=True),
        sa.Column("disk", sa.Double(), nullable=True),
        sa.Column("accounts", sa.Integer(), nullable=True),
        sa.Column("services_up", sa.Integer(), nullable=True),
        sa.Column("services_all", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_samples_server_id_servers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "at", name=op.f("pk_server_samples")),
    )
    op.create_table(
        "server_views",
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_views_server_id_servers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "kind", name=op.f("pk_server_views")),
    )
    op.create_table(
        "service_usage",
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("web_disk", sa.Integer(), nullable=False),
        sa.Column("web_bandwidth", sa.Integer(), nullable=False),
        sa.Column("databases", sa.Integer(), nullable=False),
        sa.Column("ftp_accounts", sa.Integer(), nullable=False),
        sa.Column("cron_jobs", sa.Integer(), nullable=False),
        sa.Column("web_backups", sa.Integer(), nullable=False),
        sa.Column("dns_records", sa.Integer(), nullable=False),
        sa.Column("mail_disk", sa.Integer(), nullable=False),
        sa.Column("mail_accounts", sa.Integer(), nullable=False),
        sa.Column("mail_backups", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_service_usage_service_id_services"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("service_id", name=op.f("pk_service_usage")),
    )
    op.create_index(op.f("ix_service_usage_mail_disk"), "service_usage", ["mail_disk"], unique=False)
    op.create_index(op.f("ix_service_usage_web_bandwidth"), "service_usage", ["web_bandwidth"], unique=False)
    op.create_index(op.f("ix_service_usage_web_disk"), "service_usage", ["web_disk"], unique=False)
    op.create_table(
        "usage_samples",
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("web_disk", sa.Integer(), nullable=False),
        sa.Column("web_bandwidth", sa.Integer(), nullable=False),
        sa.Column("mail_disk", sa.Integer(), nullable=False),
        sa.Column("databases", sa.Integer(), nullable=False),
        sa.Column("mail_accounts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_usage_samples_service_id_services"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("service_id", "day", name=op.f("pk_usage_samples")),
    )
    op.create_index(op.f("ix_usage_samples_day"), "usage_samples", ["day"], unique=False)
    op.create_table(
        "zones",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("template_id", sa.Integer(), nullable=True),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("checked_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("check_due_at", controller.store.base.UTCDateTime(), nullable=True),
        sa.Column("check_lease_until", controller.store.base.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_zones_service_id_services"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["template_id"], ["zone_templates.id"], name=op.f("fk_zones_template_id_zone_templates")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zones")),
        sa.UniqueConstraint("service_id", name=op.f("uq_zones_service_id")),
    )
    op.create_index("ix_zones_agrees_id", "zones", ["agrees", "id"], unique=False)
    op.create_index(op.f("ix_zones_check_due_at"), "zones", ["check_due_at"], unique=False)
    op.create_index(op.f("ix_zones_domain"), "zones", ["domain"], unique=False)
    op.create_index(op.f("ix_zones_template_id"), "zones", ["template_id"], unique=False)
    op.create_table(
        "zone_answers",
        sa.Column("zone_id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("at", controller.store.base.UTCDateTime(), nullable=False),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_zone_answers_server_id_servers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["zone_id"], ["zones.id"], name=op.f("fk_zone_answers_zone_id_zones"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("zone_id", "server_id", name=op.f("pk_zone_answers")),
    )
    op.create_index(op.f("ix_zone_answers_server_id"), "zone_answers", ["server_id"], unique=False)
    op.create_table(
        "zone_records",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("zone_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("ttl", sa.Integer(), nullable=True),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("created_at", controller.store.base.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["zone_id"], ["zones.id"], name=op.f("fk_zone_records_zone_id_zones"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zone_records")),
    )
    op.create_index(op.f("ix_zone_records_zone_id"), "zone_records", ["zone_id"], unique=False)
    # Columns are added in place: SQLite would empty what refers to a table that is made anew.
    op.create_index(
        "ix_resources_behind",
        "resources",
        ["action", "server_id", "service_id"],
        unique=False,
        sqlite_where=sa.text("applied_generation < generation"),
        postgresql_where=sa.text("applied_generation < generation"),
    )
    op.create_index("ix_tasks_status_finished_at", "tasks", ["status", "finished_at"], unique=False)
    op.create_index("ix_accounts_server_id_service_id", "accounts", ["server_id", "service_id"], unique=False)
    op.add_column("pipelines", sa.Column("group_id", sa.Integer(), nullable=True))
    op.add_column("pipelines", sa.Column("title", sa.String(length=200), nullable=False, server_default=""))
    op.add_column("pipelines", sa.Column("check", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_pipelines_group_id"), "pipelines", ["group_id"], unique=False)
    op.add_column(
        "products",
        sa.Column(
            "zone_template_id",
            sa.Integer(),
            sa.ForeignKey("zone_templates.id", name=op.f("fk_products_zone_template_id_zone_templates")),
            nullable=True,
        ),
        inline_references=True,
    )
    op.create_index(op.f("ix_products_zone_template_id"), "products", ["zone_template_id"], unique=False)
    op.add_column("server_groups", sa.Column("config", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column(
        "server_groups",
        sa.Column(
            "zone_template_id",
            sa.Integer(),
            sa.ForeignKey("zone_templates.id", name=op.f("fk_server_groups_zone_template_id_zone_templates")),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column("server_groups", sa.Column("zone_ttl", sa.Integer(), nullable=False, server_default="3600"))
    op.create_index(op.f("ix_server_groups_zone_template_id"), "server_groups", ["zone_template_id"], unique=False)
    op.add_column("servers", sa.Column("closed_web", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("servers", sa.Column("closed_mail", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("servers", sa.Column("closed_dns", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("servers", sa.Column("api_url", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("servers", sa.Column("api_key", sa.Text(), nullable=True))
    op.add_column(
        "servers", sa.Column("api_server_id", sa.String(length=64), nullable=False, server_default="localhost")
    )
    op.add_column("servers", sa.Column("dns_address", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("servers", sa.Column("dns_port", sa.Integer(), nullable=False, server_default="53"))
    op.add_column("servers", sa.Column("command_timeout", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(
        "servers",
        sa.Column(
            "zone_template_id",
            sa.Integer(),
            sa.ForeignKey("zone_templates.id", name=op.f("fk_servers_zone_template_id_zone_templates")),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column("servers", sa.Column("catch_up", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("servers", sa.Column("usage_at", controller.store.base.UTCDateTime(), nullable=True))
    op.create_index(op.f("ix_servers_zone_template_id"), "servers", ["zone_template_id"], unique=False)
    op.add_column("tasks", sa.Column("arguments", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("tasks", sa.Column("lane", sa.String(length=60), nullable=True))
    op.execute(
        "INSERT INTO zones (service_id, domain) "
        "SELECT DISTINCT service_id, name FROM resources WHERE action = 'dns.zone' AND service_id IS NOT NULL"
    )


def downgrade() -> None:
    raise NotImplementedError("this version's tables have no counterpart in the one before")
