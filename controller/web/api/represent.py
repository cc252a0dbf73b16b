"""From rows to answers. Each function takes what it needs from its session; lists load in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.domain.words import Capability, TaskStatus
from controller.store.models import (
    Account,
    Customer,
    Pipeline,
    Product,
    Server,
    Service,
    Task,
)
from controller.store.queries import Progress, current_pipeline, progress
from controller.web.api import PREFIX
from controller.web.api.answers import (
    AccountAnswer,
    CustomerAnswer,
    CustomerRef,
    HostingServer,
    PipelineAnswer,
    ProductAnswer,
    ProgressAnswer,
    Ref,
    ServiceAnswer,
    ServiceSummary,
)
from controller.web.api.server_answers import template_names


def product_answer(session: Session, product: Product) -> ProductAnswer:
    """A product."""
    return product_answers(session, [product])[0]


def product_answers(session: Session, products: Sequence[Product]) -> list[ProductAnswer]:
    """Several; the names of their templates are asked for at once."""
    names = template_names(session, [product.zone_template_id for product in products])
    return [_product_answer(product, names) for product in products]


def _product_answer(product: Product, templates: dict[int, str]) -> ProductAnswer:
    template = product.zone_template_id
    return ProductAnswer(
        id=product.id,
        name=product.name,
        description=product.description,
        mode=product.mode,
        roles=[Capability(role) for role in product.roles],
        group=Ref(id=product.group.id, name=product.group.name),
        limits=product.limits,
        zone_template=Ref(id=template, name=templates[template]) if template in templates else None,
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
