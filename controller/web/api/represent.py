"""From rows to answers. Each function takes what it needs from its session; lists load in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.automation.hostkeys import HostKey
from controller.automation.variables import NotReadyError, role_variables
from controller.domain.words import Capability, Desired, TaskStatus
from controller.domain.zones import DEFAULT_TTL
from controller.store.models import (
    Account,
    Customer,
    Pipeline,
    Product,
    Resource,
    Server,
    ServerGroup,
    Service,
    Task,
)
from controller.store.queries import Progress, current_pipeline, progress
from controller.store.vault import Vault
from controller.web.api import PREFIX
from controller.web.api.answers import (
    AccountAnswer,
    CustomerAnswer,
    CustomerRef,
    GroupAnswer,
    HostingServer,
    HostKeyAnswer,
    PipelineAnswer,
    ProductAnswer,
    ProgressAnswer,
    RecordAnswer,
    Ref,
    ServerAnswer,
    ServiceAnswer,
    ServiceSummary,
    SshAnswer,
    ZoneAnswer,
    ZoneServer,
    ZoneSummary,
)

ZONE = "dns.zone"


def server_answer(server: Server) -> ServerAnswer:
    """A server, without its credentials."""
    me = f"{PREFIX}/servers/{server.id}"
    return ServerAnswer(
        id=server.id,
        name=server.name,
        driver=server.driver,
        status=server.status,
        address=server.address,
        port=server.port,
        capabilities=server.capabilities,
        group=Ref(id=server.group.id, name=server.group.name) if server.group else None,
        attached_to=[Ref(id=group.id, name=group.name) for group in server.dns_groups],
        capacity=server.capacity,
        ssh=SshAnswer(
            user=server.ssh_user,
            become=server.become,
            method="private_key" if server.ssh_private_key else "password",
        ),
        host_key=HostKeyAnswer(type=server.host_key.split(" ")[0], fingerprint=HostKey(server.host_key).fingerprint),
        hostname=server.hostname,
        facts=server.facts,
        problem=server.problem,
        checked_at=server.checked_at,
        created_at=server.created_at,
        links={"self": me, "check": f"{me}/check", "tasks": f"{PREFIX}/tasks?server={server.id}"},
    )


def group_answer(group: ServerGroup) -> GroupAnswer:
    """A group with its servers."""
    return GroupAnswer(
        id=group.id,
        name=group.name,
        description=group.description,
        variables=group.variables,
        servers=[Ref(id=server.id, name=server.name) for server in group.servers],
        dns_servers=[Ref(id=server.id, name=server.name) for server in group.dns_servers],
        created_at=group.created_at,
        links={"self": f"{PREFIX}/groups/{group.id}", "servers": f"{PREFIX}/servers?group={group.id}"},
    )


def product_answer(product: Product) -> ProductAnswer:
    """A product."""
    return ProductAnswer(
        id=product.id,
        name=product.name,
        description=product.description,
        mode=product.mode,
        roles=[Capability(role) for role in product.roles],
        group=Ref(id=product.group.id, name=product.group.name),
        limits=product.limits,
        active=product.active,
        self_service=product.self_service,
        created_at=product.created_at,
        links={"self": f"{PREFIX}/products/{product.id}"},
    )


def customer_answer(customer: Customer) -> CustomerAnswer:
    """A customer."""
    return CustomerAnswer(
        id=customer.id,
        email=customer.email,
        name=customer.name,
        created_at=customer.created_at,
        links={
            "self": f"{PREFIX}/customers/{customer.id}",
            "services": f"{PREFIX}/services?customer={customer.id}",
        },
    )


def service_summary(service: Service) -> ServiceSummary:
    """A service for a list."""
    me = f"{PREFIX}/services/{service.id}"
    return ServiceSummary(
        id=service.id,
        reference=service.reference,
        domain=service.domain,
        domain_unicode=service.domain_unicode,
        product=Ref(id=service.product.id, name=service.product.name),
        customer=CustomerRef(id=service.customer.id, email=service.customer.email, name=service.customer.name),
        mode=service.mode,
        roles=[Capability(role) for role in service.roles],
        status=service.status,
        error=service.error,
        created_at=service.created_at,
        activated_at=service.activated_at,
        terminated_at=service.terminated_at,
        links={"self": me, "tasks": f"{me}/tasks", "stream": f"{me}/stream"},
    )


def service_answer(session: Session, service: Service, pipeline: Pipeline | None = None) -> ServiceAnswer:
    """A service in full; ``pipeline`` is the one just started, else the newest that changes the service."""
    shown = pipeline or current_pipeline(session, service.id)
    return _service_answer(service, progress(session, service.id), shown, service.accounts)


def ordered_answer(session: Session, service: Service, added: Sequence[Any]) -> ServiceAnswer:
    """A service just ordered; made of what the order added, because an order has to be answered at once."""
    tasks = [row for row in added if isinstance(row, Task)]
    first = next((task.label for task in tasks if task.status is TaskStatus.QUEUED), None)
    accounts = [row for row in added if isinstance(row, Account)]
    pipeline = next((row for row in added if isinstance(row, Pipeline)), None)
    return _service_answer(service, Progress(0, len(tasks), first), pipeline, accounts)


def _service_answer(
    service: Service, steps: Progress, pipeline: Pipeline | None, accounts: Sequence[Account]
) -> ServiceAnswer:
    hosts: dict[int, tuple[Server, set[str]]] = {}
    for account in accounts:
        hosts.setdefault(account.server_id, (account.server, set()))[1].update(account.roles)
    return ServiceAnswer(
        **dict(service_summary(service)),
        desired=service.desired,
        progress=ProgressAnswer(done=steps.done, total=steps.total, current=steps.current),
        pipeline=pipeline_answer(pipeline) if pipeline else None,
        accounts=[
            AccountAnswer(
                username=account.username,
                roles=[Capability(role) for role in account.roles],
                server=account.server.name,
            )
            for account in accounts
        ],
        servers=[
            HostingServer(
                id=server.id,
                name=server.name,
                hostname=server.hostname,
                roles=[role for role in Capability if role.value in roles],
            )
            for server, roles in hosts.values()
        ],
        limits=service.limits,
    )


def pipeline_answer(pipeline: Pipeline) -> PipelineAnswer:
    """A pipeline, in short."""
    return PipelineAnswer(
        id=pipeline.id, reason=pipeline.reason, created_at=pipeline.created_at, finished_at=pipeline.finished_at
    )


def zone_resources(service: Service) -> list[Resource]:
    """The service's zone on each of its nameservers."""
    return [resource for resource in service.resources if resource.action == ZONE]


def zone_summary(service: Service) -> ZoneSummary:
    """A zone for a list."""
    copies = zone_resources(service)
    return ZoneSummary(
        domain=service.domain,
        domain_unicode=service.domain_unicode,
        service_id=service.id,
        status=service.status,
        nameservers=len(copies),
        up_to_date=all(copy.applied_generation == copy.generation for copy in copies),
        links={
            "self": f"{PREFIX}/zones/{service.domain}",
            "service": f"{PREFIX}/services/{service.id}",
        },
    )


def zone_answer(session: Session, vault: Vault, service: Service) -> ZoneAnswer:
    """A zone as it should be, and what each nameserver has confirmed."""
    copies = zone_resources(service)
    wanted = [copy for copy in copies if copy.desired is not Desired.ABSENT]
    ttl, soa, not_ready = None, None, None
    records: list[RecordAnswer] = []
    if wanted:
        try:
            # The very variables a task would give the role, so that this never tells another story.
            values = role_variables(session, vault, wanted[0]).values
        except NotReadyError as problem:
            not_ready = str(problem)
        else:
            ttl, soa = values.get("hestia_dns_ttl", DEFAULT_TTL), values.get("hestia_dns_soa")
            records = [
                RecordAnswer(
                    name=record["name"],
                    type=record["type"],
                    value=record["value"],
                    ttl=record.get("ttl", ttl),
                    priority=record.get("priority"),
                )
                for record in values.get("hestia_dns_records", [])
            ]
    return ZoneAnswer(
        **dict(zone_summary(service)),
        ttl=ttl,
        soa=soa,
        records=records,
        not_ready=not_ready,
        servers=[_zone_server(copy) for copy in copies],
    )


def _zone_server(copy: Resource) -> ZoneServer:
    serial, records = copy.facts.get("serial"), copy.facts.get("records")
    return ZoneServer(
        server=copy.server.name,
        hostname=copy.server.hostname,
        desired=copy.desired,
        generation=copy.generation,
        applied_generation=copy.applied_generation,
        up_to_date=copy.applied_generation == copy.generation,
        applied_at=copy.applied_at,
        serial=None if serial is None else str(serial),
        records=records if isinstance(records, int) else None,
    )
