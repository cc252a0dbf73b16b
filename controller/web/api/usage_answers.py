"""What services use of what they may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pydantic import BaseModel, Field

from controller.store.fleet_models import UsageSample
from controller.store.usage_queries import GAUGES, Gauge, Line
from controller.web.api import PREFIX
from controller.web.api.answers import Links, Ref


class GaugeAnswer(BaseModel):
    """One thing that is counted; disk and traffic in MB."""

    used: int
    limit: int | None = Field(description="null: no limit")


class UsageAnswer(BaseModel):
    """A service and what it uses."""

    service: Ref
    product: Ref
    at: dt.datetime | None = Field(description="when it was collected; null: not yet")
    figures: dict[str, GaugeAnswer] = Field(
        description=f"by name, those that its roles have: {', '.join(gauge.name for gauge in GAUGES)}"
    )
    links: Links


class DayAnswer(BaseModel):
    """A service's usage on one day."""

    day: dt.date
    web_disk: int
    web_bandwidth: int
    mail_disk: int
    databases: int
    mail_accounts: int


class ServiceUsageAnswer(UsageAnswer):
    """What a service uses, now and day by day."""

    history: list[DayAnswer] = Field(description="the oldest first")


def usage_answer(line: Line) -> UsageAnswer:
    """A line of the list."""
    service = line.service
    me = f"{PREFIX}/services/{service.id}"
    return UsageAnswer(
        service=Ref(id=service.id, name=service.domain),
        product=Ref(id=service.product.id, name=service.product.name),
        at=line.usage.at if line.usage else None,
        figures={gauge.name: _gauge(line, gauge) for gauge in GAUGES if gauge.needs.value in service.roles},
        links={"self": f"{me}/usage", "service": me},
    )


def service_usage_answer(line: Line, days: Sequence[UsageSample]) -> ServiceUsageAnswer:
    """A service in full."""
    history = [DayAnswer(**{name: getattr(day, name) for name in DayAnswer.model_fields}) for day in days]
    return ServiceUsageAnswer(**dict(usage_answer(line)), history=history)


def _gauge(line: Line, gauge: Gauge) -> GaugeAnswer:
    return GaugeAnswer(used=line.used(gauge), limit=gauge.limit_of(line.service))
