"""Commands of the sandbox: ``demo``, ``demo-check``, ``bench``, ``scale``."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer


def demo(
    home: Annotated[Path, typer.Option(help="Folder that keeps the demo's data")] = Path(
        "~/.local/share/hestia-fleet-demo"
    ),
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the pages")] = 8600,
) -> None:
    """Bring up seven sandbox servers, a worker and the pages; Ctrl-C stops everything."""
    from controller.sandbox.demo import DemoError, run_demo

    try:
        run_demo(home.expanduser(), host, port)
    except DemoError as problem:
        typer.echo(f"demo: {problem}", err=True)
        raise typer.Exit(1) from None


def demo_check() -> None:
    """The demo without a person; prints one JSON line, exit code 0 only if everything held."""
    from controller.sandbox.demo_check import run_check

    try:
        times = run_check()
    except Exception as problem:
        traceback.print_exc(file=sys.stderr)
        typer.echo(json.dumps({"ok": False, "problem": f"{type(problem).__name__}: {problem}"}))
        raise typer.Exit(1) from None
    typer.echo(json.dumps({"ok": True, **times}))


def bench() -> None:
    """Measure the wanted figures on the sandbox; the last line is one JSON object."""
    from controller.sandbox.bench import run_bench

    typer.echo(json.dumps(run_bench(lambda line: typer.echo(line))))


def scale(
    home: Annotated[Path, typer.Option(help="Folder of the installation; filled if it is empty")],
    servers: Annotated[int, typer.Option(help="How many servers")] = 200,
    services: Annotated[int, typer.Option(help="How many services")] = 20_000,
) -> None:
    """Measure pages, calls and inventory of a big fleet (rows only); the last line is one JSON object."""
    from controller.sandbox.scale import measure

    typer.echo(json.dumps(measure(home.expanduser(), servers, services)))
