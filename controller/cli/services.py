"""``order`` and ``service``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.console import (
    AsJson,
    BadInput,
    actor,
    new_group,
    opened,
    out,
    out_fields,
    out_json,
    out_list,
    pairs,
    plain,
    when,
)

if TYPE_CHECKING:
    from controller.engine.fleet import Fleet
    from controller.store.models import Activity, Pipeline, Service
    from controller.web.api.answers import ServiceAnswer

service_app = new_group("Services: hosting of customers.")

ServiceKey = Annotated[str, typer.Argument(metavar="SERVICE", help="Id or domain.")]
Follow = Annotated[bool, typer.Option("--follow", help="Print what happens until it is settled.")]
POLL_SECONDS = 0.2
MOVING = frozenset({"pending", "deploying", "terminating"})


def order(
    domain: Annotated[str, typer.Argument(help="Primary domain.")],
    product: Annotated[str, typer.Option(help="Id or name.")],
    email: Annotated[str, typer.Option(help="The customer's e-mail address.")],
    name: Annotated[
        str, typer.Option(help="The customer's name; not needed for a customer who is known.", show_default=False)
    ] = "",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, for instance web_disk_quota=5000.")] = None,
    reference: Annotated[str, typer.Option(help="The billing system's own id.")] = "",
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Order hosting on a domain."""
    from controller.operations import orders
    from controller.store.queries import find_customer

    options = pairs(option or [], "--option")
    with opened() as fleet:
        if not name:
            with fleet.database.read() as session:
                known = find_customer(session, email)
            name = known.name if known else ""
        service = orders.order(
            fleet,
            actor(),
            product=product,
            domain=domain,
            customer_email=email,
            customer_name=name,
            options=options,
            reference=reference or None,
        )
        _ordered(fleet, service.id, f"Service {service.id} for {service.domain_unicode} is ordered", follow, as_json)


@service_app.command("list")
def list_services(
    status: Annotated[str, typer.Option(help="Only services with this status.")] = "",
    search: Annotated[str, typer.Option(help="Part of a domain, customer or reference.")] = "",
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Services on a page.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List services, the newest first."""
    from controller.domain.words import ServiceStatus
    from controller.store.queries import service_page
    from controller.web.api.represent import service_summary

    if status and status not in set(ServiceStatus):
        raise BadInput(f"--status: must be one of {', '.join(ServiceStatus)}")
    with opened() as fleet, fleet.database.read() as session:
        found = service_page(session, search=search, status=status, page=page, per_page=per_page)
        services = [service_summary(service) for service in found.items] if found.page == page else []
    out_list(
        as_json,
        services,
        ("ID", "DOMAIN", "PRODUCT", "CUSTOMER", "STATUS", "CREATED"),
        [
            (s.id, s.domain_unicode, s.product.name, s.customer.email, s.status.value, when(s.created_at))
            for s in services
        ],
    )


@service_app.command("show")
def show_service(key: ServiceKey, as_json: AsJson = False) -> None:
    """Show a service."""
    with opened() as fleet:
        service = _answer(fleet, _find(fleet, key).id)
    if as_json:
        out_json(service)
    else:
        _print(service)


@service_app.command("tasks")
def list_tasks(key: ServiceKey, as_json: AsJson = False) -> None:
    """List a service's tasks, in the order they were planned."""
    from sqlalchemy import select

    from controller.cli.tasks import print_tasks
    from controller.store.models import Task
    from controller.web.api.task_answers import task_answers

    with opened() as fleet:
        service_id = _find(fleet, key).id
        with fleet.database.read() as session:
            rows = session.scalars(select(Task).where(Task.service_id == service_id).order_by(Task.id)).all()
            print_tasks(as_json, task_answers(session, rows))


@service_app.command("follow")
def follow_service(key: ServiceKey, as_json: AsJson = False) -> None:
    """Print what happens to a service until it is settled; exit code 1 when it ends in an error."""
    with opened() as fleet:
        _follow(fleet, _find(fleet, key).id, as_json)


@service_app.command("suspend")
def suspend(key: ServiceKey, follow: Follow = False, as_json: AsJson = False) -> None:
    """Take web and mail out of service; nothing is deleted."""
    from controller.operations import services

    _change(key, services.suspend, follow, as_json)


@service_app.command("unsuspend")
def unsuspend(key: ServiceKey, follow: Follow = False, as_json: AsJson = False) -> None:
    """Bring a suspended service back."""
    from controller.operations import services

    _change(key, services.unsuspend, follow, as_json)


@service_app.command("terminate")
def terminate(key: ServiceKey, follow: Follow = False, as_json: AsJson = False) -> None:
    """Remove a service from every server, data included."""
    from controller.operations import services

    _change(key, services.terminate, follow, as_json)


@service_app.command("redeploy")
def redeploy(key: ServiceKey, follow: Follow = False, as_json: AsJson = False) -> None:
    """Run all tasks again; what is right already is not touched."""
    from controller.operations import services

    _change(key, services.redeploy, follow, as_json)


@service_app.command("repair")
def repair(key: ServiceKey, follow: Follow = False, as_json: AsJson = False) -> None:
    """Put right what differs."""
    from controller.operations import services

    _change(key, services.repair, follow, as_json)


@service_app.command("verify")
def verify(key: ServiceKey, as_json: AsJson = False) -> None:
    """Run all tasks in check mode: what differs is shown in their logs, nothing is touched."""
    from controller.operations import services

    _change(key, services.verify, False, as_json)


@service_app.command("change-product")
def change_product(
    key: ServiceKey,
    product: Annotated[str, typer.Option(help="Id or name of the new product.")],
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Give a service the limits of another product."""
    from controller.operations import services

    _change(key, lambda fleet, who, one: services.change_product(fleet, who, one, product), follow, as_json)


def _find(fleet: Fleet, key: str) -> Service:
    from controller.operations.records import must
    from controller.store.queries import find_service

    with fleet.database.read() as session:
        return must(find_service(session, key.lower().rstrip(".")), "service", key)


def _answer(fleet: Fleet, service_id: int, pipeline: Pipeline | None = None) -> ServiceAnswer:
    from controller.store.models import Service
    from controller.web.api.represent import service_answer

    with fleet.database.read() as session:
        return service_answer(session, session.get_one(Service, service_id), pipeline)


def _change(key: str, operation: Callable[[Fleet, str, int], Pipeline], follow: bool, as_json: bool) -> None:
    with opened() as fleet:
        service = _find(fleet, key)
        pipeline = operation(fleet, actor(), service.id)
        words = f"{service.domain_unicode}: {pipeline.reason.value} started"
        _ordered(fleet, service.id, words, follow, as_json, pipeline)


def _ordered(
    fleet: Fleet, service_id: int, words: str, follow: bool, as_json: bool, pipeline: Pipeline | None = None
) -> None:
    if follow:
        _follow(fleet, service_id, as_json)
    elif as_json:
        out_json(_answer(fleet, service_id, pipeline))
    else:
        out(words)


def _follow(fleet: Fleet, service_id: int, as_json: bool) -> None:
    """Print the activity of the newest pipeline, as it comes; raises Exit(1) when the service ends in an error."""
    from sqlalchemy import func, select

    from controller.store.models import Activity, Service
    from controller.store.queries import activity_since, current_pipeline

    with fleet.database.read() as session:
        pipeline = current_pipeline(session, service_id)
        since = select(func.min(Activity.id)).where(
            Activity.service_id == service_id,
            Activity.at >= (pipeline.created_at if pipeline else session.get_one(Service, service_id).created_at),
        )
        seen = (session.scalar(since) or 1) - 1
    while True:
        # The status is read before the activity: when it says settled, nothing can come after what is read now.
        with fleet.database.read() as session:
            status = session.scalars(select(Service.status).where(Service.id == service_id)).one()
        while True:
            with fleet.database.read() as session:
                rows = activity_since(session, service_id, seen)
            for row in rows:
                seen = row.id
                _print_activity(row, as_json)
            if not rows:
                break
        if status.value not in MOVING:
            break
        time.sleep(POLL_SECONDS)
    service = _answer(fleet, service_id)
    if as_json:
        out(json.dumps(plain(service), ensure_ascii=False))
    elif service.error:
        out(service.error)
    if status.value == "error":
        raise typer.Exit(1)


def _print_activity(row: Activity, as_json: bool) -> None:
    if as_json:
        line = {
            "id": row.id,
            "at": row.at.isoformat(),
            "kind": row.kind,
            "message": row.message,
            "task_id": row.task_id,
        }
        out(json.dumps(line, ensure_ascii=False))
    else:
        state = row.kind.partition(".")[2]
        out(f"{row.at:%H:%M:%S}  {state:<12} {row.message}")
    sys.stdout.flush()


def _print(service: ServiceAnswer) -> None:
    steps = service.progress
    out_fields(
        {
            "id": service.id,
            "domain": service.domain_unicode,
            "reference": service.reference,
            "customer": f"{service.customer.name} <{service.customer.email}>",
            "product": f"{service.product.name} ({service.mode.value})",
            "status": service.status.value,
            "error": service.error,
            "progress": f"{steps.done} of {steps.total}" + (f", {steps.current}" if steps.current else ""),
            "created": when(service.created_at),
            "activated": when(service.activated_at),
        }
        | {
            f"account on {account.server}": f"{account.username} ({', '.join(account.roles)})"
            for account in service.accounts
        }
        | {f"limit {name}": value for name, value in service.limits.items()}
    )
