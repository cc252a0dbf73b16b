"""The command ``hestia-fleet``. Commands act on the database by the same operations as the API and the pages."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.cli import (
    catalogue,
    drift,
    group_config,
    inventory,
    log,
    people,
    pipelines,
    server_actions,
    services,
    settings,
    system,
    tasks,
    tickets,
    usage,
    zone_templates,
    zones,
)
from controller.cli.console import Failed
from controller.sandbox import commands as sandbox

PROGRAM = "hestia-fleet"

app = typer.Typer(
    name=PROGRAM,
    help="Sell and run hosting on many HestiaCP servers as one fleet.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("init")(system.init)
app.command("serve")(system.serve)
app.command("worker")(system.worker)
app.add_typer(people.user_app, name="user")
app.add_typer(people.token_app, name="token")
app.add_typer(server_actions.server_app, name="server")
app.add_typer(group_config.group_app, name="group")
app.add_typer(catalogue.product_app, name="product")
app.add_typer(catalogue.customer_app, name="customer")
app.command("order")(services.order)
app.add_typer(services.service_app, name="service")
app.add_typer(tasks.task_app, name="task")
app.add_typer(drift.drift_app, name="drift")
app.add_typer(pipelines.pipeline_app, name="pipeline")
app.add_typer(zones.zone_app, name="zone")
app.add_typer(zone_templates.template_app, name="zone-template")
app.add_typer(usage.usage_app, name="usage")
app.add_typer(tickets.ticket_app, name="ticket")
app.add_typer(tickets.webhook_app, name="webhook")
app.add_typer(settings.settings_app, name="settings")
app.add_typer(settings.job_app, name="job")
app.command("log")(log.show_log)
app.command("inventory")(inventory.inventory)
app.command("demo")(sandbox.demo)
app.command("demo-check")(sandbox.demo_check)
app.command("bench")(sandbox.bench)
app.command("scale")(sandbox.scale)


def _version(asked: bool) -> None:
    if asked:
        import controller

        sys.stdout.write(f"{PROGRAM} {controller.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Sell and run hosting on many HestiaCP servers as one fleet."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 2 bad input, 1 anything else.

    An error is one line on stderr; only a group without a command prints its help.
    """
    code, message = _run(arguments)
    if message:
        sys.stderr.write(message if message.startswith("Usage: ") else f"{PROGRAM}: {' '.join(message.split())}")
        sys.stderr.write("\n")
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> tuple[int, str]:
    """Exit code and error message of a command."""
    try:
        answer = app(arguments, prog_name=PROGRAM, standalone_mode=False)
    except Exception as problem:
        if os.environ.get("HESTIA_FLEET_LOG_LEVEL", "").upper() == "DEBUG":
            traceback.print_exc()
        return explain(problem)
    except KeyboardInterrupt:
        return 130, ""
    return (answer if isinstance(answer, int) else 0), ""


def explain(problem: Exception) -> tuple[int, str]:
    """Exit code and words for what went wrong."""
    # Imported when something is wrong only: the command starts faster without them.
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from controller.operations.errors import Invalid, OperationError
    from controller.store.vault import VaultError
    from controller.web.assets import AssetsMissing

    match problem:
        case Failed():
            return problem.code, str(problem)
        case Invalid():
            return 2, problem.message
        case OperationError():
            return 1, problem.message
        case typer.TyperException():
            return problem.exit_code, problem.format_message()
        case typer.Abort():
            return 1, "stopped"
        case ValidationError():
            # Settings come from the environment.
            first = problem.errors(include_input=False, include_url=False)[0]
            return 2, f"HESTIA_FLEET_{'_'.join(map(str, first['loc'])).upper()}: {first['msg']}"
        case SQLAlchemyError():
            return 1, f"the database: {getattr(problem, 'orig', None) or problem}"
        case VaultError() | AssetsMissing() | OSError():
            return 1, str(problem)
    words = f"unexpected {type(problem).__name__}: {problem}"
    return 1, f"{words} (HESTIA_FLEET_LOG_LEVEL=DEBUG shows where)"
