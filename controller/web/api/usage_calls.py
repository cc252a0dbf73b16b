"""Calls on what services use."""

from __future__ import annotations

from pydantic import Field

from controller.operations import usage
from controller.operations.records import must
from controller.store.queries import find_product, find_server
from controller.store.usage_queries import GAUGES, UsageFilter, service_line, usage_history, usage_page
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Listed
from controller.web.api.pipeline_answers import RunAnswer
from controller.web.api.pipeline_calls import STARTS, started
from controller.web.api.service_calls import find
from controller.web.api.usage_answers import ServiceUsageAnswer, UsageAnswer, service_usage_answer, usage_answer


class UsageParameters(lists.ListParameters):
    """Services by server, product, and how near they are to a limit."""

    search: lists.Search = Field("", description="part of the domain")
    server: lists.Name = Field(None, description="id or name")
    product: lists.Name = Field(None, description="id or name")
    nearly_full: bool = Field(False, description="only services that use 80 percent of a limit or more")
    sort: str = lists.sort_field(("domain", "updated", *(gauge.name for gauge in GAUGES)), "domain")


class DayParameters(lists.Parameters):
    """How far back."""

    days: int = Field(30, ge=1, le=3650)


def _list(asked: Asked) -> Listed:
    given: UsageParameters = asked.query
    with asked.fleet.database.read() as session:
        server = must(find_server(session, given.server), "server", given.server) if given.server else None
        product = must(find_product(session, given.product), "product", given.product) if given.product else None
        wanted = UsageFilter(
            search=given.search,
            server_id=server.id if server else None,
            product_id=product.id if product else None,
            nearly_full=given.nearly_full,
        )
        page, _ = usage_page(session, wanted, sort=given.sort, page=given.page, per_page=given.per_page)
        page = lists.as_asked(page, given)
        return Listed(page, [usage_answer(line) for line in page.items])


def _get(asked: Asked) -> ServiceUsageAnswer:
    given: DayParameters = asked.query
    with asked.fleet.database.read() as session:
        service = find(session, asked.key)
        line = must(service_line(session, service.id), "service", asked.key)
        return service_usage_answer(line, usage_history(session, service.id, given.days))


def _refresh_all(asked: Asked) -> RunAnswer:
    return started(asked, usage.refresh_all(asked.fleet, asked.actor))


def _refresh(asked: Asked) -> RunAnswer:
    with asked.fleet.database.read() as session:
        service_id = find(session, asked.key).id
    return started(asked, usage.refresh_service(asked.fleet, asked.actor, service_id))


CALLS = (
    Call(
        "GET",
        "/usage",
        "List what services use",
        _list,
        answer=UsageAnswer,
        query=UsageParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call(
        "POST",
        "/usage/refresh",
        "Collect the usage of all services",
        _refresh_all,
        answer=RunAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "GET",
        "/services/{id}/usage",
        "Show what a service uses, now and day by day",
        _get,
        answer=ServiceUsageAnswer,
        query=DayParameters,
    ),
    Call(
        "POST",
        "/services/{id}/usage/refresh",
        "Count what a service uses anew and collect it",
        _refresh,
        answer=RunAnswer,
        status=202,
        body=Nothing,
        once=STARTS,
        problems=("refused",),
    ),
)
