"""Collecting what the services use, now."""

from __future__ import annotations

from sqlalchemy import select

from controller.domain.pipelines import shortened
from controller.domain.words import OPEN_TASK_STATES, RECOUNT_ACTION, RUNNABLE, USAGE_ACTION, Driver, Reason
from controller.engine.fleet import Fleet
from controller.engine.planning import CUSTOMER_CLICK, DEPLOYMENT, ServerTask, start_server_run
from controller.operations.errors import Refused
from controller.operations.records import audit
from controller.operations.records import service as find
from controller.store.models import Pipeline, Server, Task

Key = int | str


def refresh_all(fleet: Fleet, actor: str) -> Pipeline:
    """Collect from every server, one task each. Raises Refused when there is none, or all are being asked."""
    with fleet.database.write() as session:
        asked = select(Task.server_id).where(Task.action == USAGE_ACTION, Task.status.in_(OPEN_TASK_STATES))
        servers = session.scalars(
            select(Server)
            .where(Server.driver == Driver.HESTIACP, Server.status.in_(RUNNABLE), Server.id.not_in(asked))
            .order_by(Server.name)
        ).all()
        if not servers:
            raise Refused("no server is in use, or all are being asked already")
        pipeline, ready = start_server_run(
            session,
            reason=Reason.USAGE,
            title=f"Usage of {len(servers)} servers",
            actor=actor,
            tasks=[ServerTask(server, USAGE_ACTION, server.name) for server in servers],
            priority=DEPLOYMENT,
        )
        audit(session, actor, "usage.refresh", f"{len(servers)} servers")
    fleet.wake(ready)
    return pipeline


def refresh_service(fleet: Fleet, actor: str, key: Key) -> Pipeline:
    """Have the panels count a service's disk and traffic anew and collect them. Raises NotFound, Refused."""
    with fleet.database.write() as session:
        service = find(session, key)
        accounts = {account.server_id: account for account in service.accounts if account.server.status in RUNNABLE}
        if not accounts:
            raise Refused(f"{service.domain} has no account on a server in use")
        pipeline, ready = start_server_run(
            session,
            reason=Reason.USAGE,
            title=shortened(f"Usage of {service.domain}"),
            actor=actor,
            tasks=[
                ServerTask(account.server, RECOUNT_ACTION, account.username, arguments={"users": [account.username]})
                for account in accounts.values()
            ],
            priority=CUSTOMER_CLICK,
        )
        audit(session, actor, "usage.refresh", service.domain, service_id=service.id)
    fleet.wake(ready)
    return pipeline
