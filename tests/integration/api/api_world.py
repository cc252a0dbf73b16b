"""A small fleet to order on, and what tests of the API share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect, text

from controller.domain.words import Driver, ServiceStatus, TaskStatus
from controller.engine.fleet import Fleet
from controller.operations import groups, products, webhooks
from controller.store.base import utcnow
from controller.store.desk_models import Ticket, TicketNote
from controller.store.models import Pipeline, Resource, Server, ServerGroup, Service, Task

API = "/api/v1"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIOEEzbIlpDE8RZYUEBFuPL0hG5OEBjj8N5nN4V9sAfU"
FACTS = {
    "web.domain": {"ip": "192.0.2.1"},
    "mail.domain": {
        "ip": "192.0.2.3",
        "hostname": "mx01.fleet.test",
        "dkim_selector": "mail",
        "dkim_public_key": "MII",
    },
    "dns.zone": {"serial": "2026010101", "records": 20},
}
SERVERS = (("web01", "web"), ("web02", "web"), ("mx01", "mail"), ("ns1", "dns"), ("ns2", "dns"))


def fill(fleet: Fleet) -> None:
    """A group with two web servers, a mail server and two nameservers, and a product on it."""
    group_id = groups.create(fleet, "test", name="Group", variables={"ns1": "ns1.fleet.test"}).id
    with fleet.database.write() as session:
        group = session.get_one(ServerGroup, group_id)
        for number, (name, capability) in enumerate(SERVERS):
            server = Server(
                name=name,
                driver=Driver.HESTIACP,
                address=f"192.0.2.{number + 1}",
                host_key=HOST_KEY,
                hostname=f"{name}.fleet.test",
                ssh_password=fleet.vault.seal("sandbox-ssh-secret"),
                facts={"ips": [f"192.0.2.{number + 1}"]},
                **{f"can_{capability}": True},
            )
            if capability == "dns":
                group.dns_servers.append(server)
            else:
                server.group = group
            session.add(server)
        ticket = Ticket(subject="web01 does not answer", cause="server 1 unreachable", error_class="unreachable")
        ticket.action, ticket.target, ticket.server_id = "server.status", "web01", 1
        session.add_all([ticket, TicketNote(ticket=ticket, kind="failure", body="no answer")])
    webhooks.create(fleet, "test", name="chat", url="https://chat.test/hook", events=["ticket.opened"])
    products.create(fleet, "test", name="Hosting", mode="split", roles=["web", "mail", "dns"], group="Group")


def an_order(domain: str = "example.com", **changes: Any) -> dict[str, Any]:
    """The body of a good order."""
    return {
        "product": "Hosting",
        "domain": domain,
        "customer": {"email": "ada@example.com", "name": "Ada Example"},
        "options": {"web_disk_quota": 2000},
        **changes,
    }


def rows(fleet: Fleet) -> dict[str, list[Any]]:
    """Everything in the database, to see that nothing was written."""
    with fleet.database.read() as session:
        names = inspect(fleet.database.engine).get_table_names()
        found = {name: sorted(session.execute(text(f"SELECT * FROM {name}")).all(), key=str) for name in names}
    # When a token was last used is noted at most once a minute, whatever was asked.
    found["api_tokens"] = [len(found["api_tokens"])]
    return found


def deployed(fleet: Fleet) -> None:
    """What was ordered is there: every service is active, every resource as wished, and nothing is left to do."""
    with fleet.database.write() as session:
        for task in session.query(Task):
            task.status, task.finished_at = TaskStatus.SUCCEEDED, utcnow()
        for pipeline in session.query(Pipeline):
            pipeline.finished_at = utcnow()
        for resource in session.query(Resource):
            resource.applied_generation, resource.applied_at = resource.generation, utcnow()
            resource.facts = FACTS.get(resource.action, {})
        for service in session.query(Service):
            service.status, service.activated_at = ServiceStatus.ACTIVE, utcnow()
