"""``log``: the operation log."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from controller.cli.console import AsJson, opened, out, out_table, plain, when


def show_log(
    search: Annotated[str, typer.Option(help="Part of who, action, target, result or message.")] = "",
    result: Annotated[str, typer.Option(help="done, succeeded, failed or cancelled.")] = "",
    area: Annotated[str, typer.Option(help="What the action begins with: service, task, settings, web...")] = "",
    actor: Annotated[str, typer.Option("--by", help="Part of who did it.")] = "",
    server: Annotated[str, typer.Option(help="Id or name.")] = "",
    service: Annotated[str, typer.Option(help="Id or domain.")] = "",
    task: Annotated[str, typer.Option(help="Id.")] = "",
    since: Annotated[str, typer.Option(help="First day (2026-01-31) or time, UTC.")] = "",
    until: Annotated[str, typer.Option(help="Last day or time, UTC.")] = "",
    before: Annotated[int | None, typer.Option(min=1, help="Only lines with a lower id.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most lines.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print the operation log, the newest line first; with --json one object on each line."""
    from itertools import islice

    from controller.operations.operation_log import log_filter
    from controller.store.operation_log_queries import log_lines
    from controller.web.api.operation_log_calls import log_line_answer

    with opened() as fleet:
        with fleet.database.read() as session:
            wanted = log_filter(
                session,
                search=search,
                result=result,
                area=area,
                actor=actor,
                server=server,
                service=service,
                task=task,
                since=since,
                until=until,
            )
        lines = islice(log_lines(fleet.database, wanted, before=before), limit)
        if as_json:
            for line in lines:
                out(json.dumps(plain(log_line_answer(line)), ensure_ascii=False))
            return
        out_table(
            ("ID", "TIME", "WHO", "ACTION", "TARGET", "RESULT", "MESSAGE"),
            [
                (
                    line.id,
                    when(line.at),
                    line.actor,
                    line.action,
                    line.target,
                    line.result,
                    " ".join(line.message.split())[:100],
                )
                for line in lines
            ],
        )
