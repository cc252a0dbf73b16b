"""Calls on services: order, look, follow, change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.engine.fleet import Fleet
from controller.operations import orders, services
from controller.operations.records import must
from controller.store.models import Pipeline, Service
from controller.store.queries import find_service, last_verification
from controller.web.api import lists
from controller.web.api.answers import ServiceAnswer, ServiceSummary
from controller.web.api.bodies import Nothing, Order, ProductChange
from controller.web.api.calls import Asked, Call, Follow, Listed, Once
from controller.web.api.represent import ordered_answer, service_answer, service_summary
from controller.web.api.task_answers import TaskAnswer, task_answers
from controller.web.api.verification_answers import VerificationAnswer, verification_answer
from controller.web.verification import found_by


def find(session: Session, key: str) -> Service:
    """A service by id or domain in any case. Raises NotFound."""
    return must(find_service(session, key.lower().rstrip(".")), "service", key)


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.services(session, asked.query)
        return Listed(page, [service_summary(service) for service in page.items])


def _order(asked: Asked) -> None:
    body: Order = asked.body
    orders.order(
        asked.fleet,
        asked.actor,
        product=body.product,
        domain=body.domain,
        customer_email=body.customer.email,
        customer_name=body.customer.name,
        options=body.options,
        reference=body.reference,
    )


def _get(asked: Asked) -> ServiceAnswer:
    with asked.fleet.database.read() as session:
        return service_answer(session, find(session, asked.key))


def _tasks(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.service_tasks(session, find(session, asked.key).id, asked.query)
        return Listed(page, [*task_answers(session, page.items)])


def _stream(asked: Asked) -> Follow:
    with asked.fleet.database.read() as session:
        return Follow("service", find(session, asked.key).id)


def _verification(asked: Asked) -> VerificationAnswer:
    with asked.fleet.database.read() as session:
        service = find(session, asked.key)
        run = must(last_verification(session, service.id), "verification of", service.domain)
        return verification_answer(found_by(session, run))


def _change(operation: Callable[[Fleet, str, int], Pipeline]) -> Callable[[Asked], ServiceAnswer]:
    def run(asked: Asked) -> ServiceAnswer:
        with asked.fleet.database.read() as session:
            service_id = find(session, asked.key).id
        pipeline = operation(asked.fleet, asked.actor, service_id)
        return _started(asked, service_id, pipeline)

    return run


def _change_product(asked: Asked) -> ServiceAnswer:
    body: ProductChange = asked.body
    with asked.fleet.database.read() as session:
        service_id = find(session, asked.key).id
    pipeline = services.change_product(asked.fleet, asked.actor, service_id, body.product)
    return _started(asked, service_id, pipeline)


def _started(asked: Asked, service_id: int, pipeline: Pipeline) -> ServiceAnswer:
    with asked.fleet.database.read() as session:
        return service_answer(session, session.get_one(Service, service_id), pipeline)


def _begun(session: Session, pipeline: Pipeline, _added: Sequence[Any]) -> ServiceAnswer:
    return service_answer(session, session.get_one(Service, pipeline.service_id), pipeline)


STARTS = Once(Pipeline, _begun)


def _action(name: str, summary: str, operation: Callable[[Fleet, str, int], Pipeline]) -> Call:
    return Call(
        "POST",
        f"/services/{{id}}/{name}",
        summary,
        _change(operation),
        answer=ServiceAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    )


CALLS = (
    Call(
        "GET",
        "/services",
        "List services",
        _list,
        answer=ServiceSummary,
        query=lists.ServiceParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call(
        "POST",
        "/services",
        "Order a service",
        _order,
        answer=ServiceAnswer,
        status=202,
        body=Order,
        once=Once(Service, ordered_answer),
    ),
    Call("GET", "/services/{id}", "Show a service", _get, answer=ServiceAnswer),
    Call(
        "GET",
        "/services/{id}/tasks",
        "List a service's tasks",
        _tasks,
        answer=TaskAnswer,
        query=lists.ServiceTaskParameters,
        listed=True,
    ),
    Call(
        "GET",
        "/services/{id}/stream",
        "Follow a service: what happens to it, with its status and progress, as it happens",
        _stream,
        query=lists.StreamParameters,
        streams="activity",
    ),
    Call(
        "GET",
        "/services/{id}/verification",
        "Show what the last verification found",
        _verification,
        answer=VerificationAnswer,
    ),
    _action("suspend", "Take web and mail out of service; nothing is deleted", services.suspend),
    _action("unsuspend", "Bring a suspended service back", services.unsuspend),
    _action("terminate", "Remove a service from every server, data included", services.terminate),
    _action("redeploy", "Run all tasks again; what is right already is not touched", services.redeploy),
    _action("verify", "Run all tasks in check mode: what differs is shown, nothing is touched", services.verify),
    _action("repair", "Put right what differs", services.repair),
    Call(
        "POST",
        "/services/{id}/change-product",
        "Give a service the limits of another product",
        _change_product,
        answer=ServiceAnswer,
        status=202,
        body=ProductChange,
        once=STARTS,
        problems=("refused",),
    ),
)
