"""``usage``: what services use of what they may."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.console import AsJson, BadInput, actor, new_group, opened, out, out_fields, out_json, out_list, when
from controller.cli.pipelines import Wait, started

usage_app = new_group("What services use of what they may.")

SHOWN = ("web_disk", "web_bandwidth", "databases", "mail_disk", "mail_accounts", "dns_records")


@usage_app.command("list")
def list_usage(
    search: Annotated[str, typer.Option(help="Part of the domain.")] = "",
    server: Annotated[str, typer.Option(help="Only services on this server (id or name).")] = "",
    nearly_full: Annotated[
        bool, typer.Option("--nearly-full", help="Only services that use 80 percent of a limit or more.")
    ] = False,
    sort: Annotated[str, typer.Option(help="domain, updated or a figure; with - in front descending.")] = "domain",
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Services on a page.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what services use; disk and traffic in MB."""
    from controller.operations.records import must
    from controller.store.queries import find_server
    from controller.store.usage_queries import GAUGES, UsageFilter, usage_page
    from controller.web.api.usage_answers import GaugeAnswer, usage_answer

    columns = ("domain", "updated", *(gauge.name for gauge in GAUGES))
    if sort.removeprefix("-") not in columns:
        raise BadInput(f"--sort: must be one of {', '.join(columns)}")
    with opened() as fleet, fleet.database.read() as session:
        server_id = must(find_server(session, server), "server", server).id if server else None
        wanted = UsageFilter(search=search, server_id=server_id, nearly_full=nearly_full)
        found, _ = usage_page(session, wanted, sort=sort, page=page, per_page=per_page)
        lines = [usage_answer(line) for line in found.items] if found.page == page else []

    def cell(gauge: GaugeAnswer | None) -> str:
        return "" if gauge is None else f"{gauge.used}/{'-' if gauge.limit is None else gauge.limit}"

    out_list(
        as_json,
        lines,
        ("SERVICE", "PRODUCT", *(name.upper().replace("_", " ") for name in SHOWN), "COLLECTED"),
        [
            (
                line.service.name,
                line.product.name,
                *(cell(line.figures.get(name)) for name in SHOWN),
                when(line.at),
            )
            for line in lines
        ],
    )


@usage_app.command("show")
def show_usage(
    key: Annotated[str, typer.Argument(metavar="SERVICE", help="Id or domain.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show what a service uses, now and day by day; disk and traffic in MB."""
    from controller.operations.records import must
    from controller.operations.records import service as find
    from controller.store.usage_queries import service_line, usage_history
    from controller.web.api.usage_answers import service_usage_answer

    with opened() as fleet, fleet.database.read() as session:
        service = find(session, key.lower().rstrip("."))
        line = must(service_line(session, service.id), "service", key)
        usage = service_usage_answer(line, usage_history(session, service.id, days))
    if as_json:
        out_json(usage)
        return
    out_fields(
        {"service": usage.service.name, "product": usage.product.name, "collected": when(usage.at)}
        | {
            name.replace("_", " "): f"{gauge.used} of {'no limit' if gauge.limit is None else gauge.limit}"
            for name, gauge in usage.figures.items()
        }
    )
    for day in usage.history:
        out(f"{day.day}  web {day.web_disk} MB, traffic {day.web_bandwidth} MB, mail {day.mail_disk} MB")


@usage_app.command("refresh")
def refresh_usage(
    key: Annotated[str, typer.Argument(metavar="[SERVICE]", help="Id or domain; without it all services.")] = "",
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Collect the usage of all services, or count that of one anew."""
    from controller.operations import usage

    with opened() as fleet:
        if key:
            pipeline = usage.refresh_service(fleet, actor(), key.lower().rstrip("."))
        else:
            pipeline = usage.refresh_all(fleet, actor())
        started(fleet, pipeline, wait, as_json)
