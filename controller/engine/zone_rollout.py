"""One change over many zones: a nameserver more or less, a template or a group that was changed; a few at a time.

A run's row says how far it is, so a fleet with thousands of zones never floods the queue, and a worker that dies
leaves it to another. A zone leaves a nameserver only when another one has confirmed it: until then the run waits.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from controller.domain.words import RUNNABLE, ZONE_ACTION, Capability, Desired, ServiceStatus, TaskStatus
from controller.engine import journal
from controller.engine.building import add_nameserver
from controller.engine.dispatch import Ready
from controller.engine.fleet import Fleet
from controller.engine.planning import DEPLOYMENT, wish
from controller.engine.rows import take_task
from controller.engine.zone_work import SETTLED, zone_changed
from controller.store.base import utcnow
from controller.store.models import GroupDnsServer, OperationLog, Pipeline, Product, Resource, Server, Service, Task
from controller.store.portions import portions
from controller.store.work_models import LongRun
from controller.store.zone_models import Zone
from controller.store.zone_queries import ZONE_RUN
from controller.store.zone_template_queries import uses_one_of, uses_template

COMING_OR_THERE = (ServiceStatus.PENDING, *SETTLED)
"""Services that a rollout reaches: what was ordered a moment ago has its nameservers chosen already."""
AT_ONCE = 20
"""Zones whose tasks are open at the same time, of all runs."""
AGAIN = dt.timedelta(seconds=15)
"""Between two looks at zones that cannot leave a nameserver yet."""

logger = logging.getLogger(__name__)


def start(session: Session, actor: str, title: str, what: str, **about: Any) -> LongRun | None:
    """A new run, None when it concerns no zone. ``what``: ``attach`` or ``detach`` (with ``server_id``,
    ``group_id``), ``template`` (``template_id``), ``group`` (``group_id``, and ``templates`` if only zones of these
    are meant) or ``redeploy`` (``zone_ids``)."""
    report = {"what": what, "open": [], **about}
    total = reach(session, what, **about)
    if not total:
        return None
    run = LongRun(kind=ZONE_RUN, title=title, actor=actor, total=total, report=report)
    session.add(run)
    session.flush()
    return run


def reach(session: Session, what: str, **about: Any) -> int:
    """How many zones a run that was started now would be about."""
    report = {"what": what, **about}
    queries = [_staying(report)] if what == "detach" else _concerned(report)
    return sum(session.scalar(select(func.count()).select_from(query.subquery())) or 0 for query in queries)


def running(session: Session) -> list[LongRun]:
    """What is under way, oldest first."""
    query = select(LongRun).where(LongRun.kind == ZONE_RUN, LongRun.finished_at.is_(None)).order_by(LongRun.id)
    return list(session.scalars(query))


def waiting(session: Session, service_ids: Collection[int]) -> set[int]:
    """Services of these whose zones a run will still come to: what they wish is not what their servers were told."""
    found: set[int] = set()
    for run in running(session):
        for ahead in _concerned(run.report, after=run.cursor):
            ahead = ahead.where(Service.id.in_(service_ids))
            found |= set(session.scalars(ahead.with_only_columns(Service.id)))
    return found


def _concerned(report: dict[str, Any], after: int = 0) -> Iterator[Select[Any]]:
    """Ids of the zones a run is about, past one of them; each query's zones come after those of the one before."""
    every = _fitting(report).where(Zone.id > after)
    if report["what"] != "redeploy":
        return iter([every])
    named = sorted(zone_id for zone_id in report["zone_ids"] if zone_id > after)
    return (every.where(Zone.id.in_(some)) for some in portions(named))


def _fitting(report: dict[str, Any]) -> Select[Any]:
    match report["what"]:
        case "attach":
            return _sold(report).where(~_there(report))
        case "detach":
            other = aliased(Resource)
            confirmed = exists().where(
                other.service_id == Service.id,
                other.action == ZONE_ACTION,
                other.server_id != report["server_id"],
                other.desired != Desired.ABSENT,
                other.applied_generation > 0,
            )
            tried = exists().where(Task.resource_id == Resource.id, Task.fence > 0, ~Task.check_mode)
            # What was never there is missed by nobody; a step that was begun may have put it there.
            never = _there(report, Resource.applied_generation == 0, ~tried)
            return _staying(report).where(or_(confirmed, never))
        case "template":
            return _zones().where(uses_template(report["template_id"]))
        case "group":
            return _of_group(report)
        case _:
            return _zones()


def _zones() -> Select[Any]:
    """Zones that may be changed: not those of services that go away, however far that is."""
    query = select(Zone.id).join(Service, Service.id == Zone.service_id)
    return query.where(Service.status.in_(COMING_OR_THERE), Service.desired != Desired.ABSENT)


def _sold(report: dict[str, Any]) -> Select[Any]:
    return _zones().join(Product, Product.id == Service.product_id).where(Product.group_id == report["group_id"])


def _of_group(report: dict[str, Any]) -> Select[Any]:
    """All zones of a group, or those that use one of some templates (None among them: the built-in one)."""
    named = report.get("templates")
    return _sold(report) if named is None else _sold(report).where(uses_one_of(named))


def _there(report: dict[str, Any], *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Resource.service_id == Service.id,
        Resource.action == ZONE_ACTION,
        Resource.server_id == report["server_id"],
        Resource.desired != Desired.ABSENT,
        *more,
    )


def _staying(report: dict[str, Any]) -> Select[Any]:
    """Zones that are to leave a nameserver and have not been told so yet."""
    return _sold(report).where(_there(report))


def advance(fleet: Fleet) -> Ready:
    """One round of all runs that are under way, the oldest first; the tasks to ring for."""
    with fleet.database.read() as session:
        if not running(session):
            return []
    with fleet.database.write() as session:
        runs = running(session)
        for run in runs:
            run.report = {**run.report, "open": [n for n in run.report["open"] if not _count(session, run, n)]}
        room = AT_ONCE - sum(len(run.report["open"]) for run in runs)
        ready: Ready = []
        for run in runs:
            if _is_moot(session, run):
                _finish(session, run)
            elif room > 0:
                ids = _following(session, run, room)
                room -= len(ids)
                for zone_id in ids:
                    ready += _start_one(session, fleet, run, zone_id)
                if not ids and not run.report["open"]:
                    _come_to_an_end(session, run)
    return ready


def _is_moot(session: Session, run: LongRun) -> bool:
    """Whether the nameserver's place in the group has changed again since the run was started. What it did not come
    to is as it was; what it did is the newer run's."""
    what = run.report["what"]
    if what not in ("attach", "detach"):
        return False
    attached = session.get(GroupDnsServer, (run.report["group_id"], run.report["server_id"])) is not None
    return attached is (what == "detach")


def _following(session: Session, run: LongRun, most: int) -> list[int]:
    """The next zones that the run has not come to yet."""
    if run.report.get("again_at", "") > utcnow().isoformat():
        return []
    found: list[int] = []
    for query in _concerned(run.report, after=run.cursor):
        if len(found) >= most:
            break
        found += session.scalars(query.order_by(Zone.id).limit(most - len(found)))
    return found


def _start_one(session: Session, fleet: Fleet, run: LongRun, zone_id: int) -> Ready:
    """One zone's change; whatever is wrong with it, the others go on."""
    run.cursor = zone_id
    try:
        with session.begin_nested():
            service = session.get_one(Service, session.get_one(Zone, zone_id).service_id)
            pipeline, ready = _change(session, fleet, run, service)
    except OperationalError:
        # The database itself: the round is done again.
        raise
    except Exception:
        logger.exception("%s: zone %s could not be changed", run.title, zone_id)
        run.done += 1
        run.failed += 1
        return []
    if pipeline is None:
        run.done += 1
    else:
        run.report = {**run.report, "open": [*run.report["open"], pipeline.id]}
    return ready


def _change(session: Session, fleet: Fleet, run: LongRun, service: Service) -> tuple[Pipeline | None, Ready]:
    """Start what the run wants of one zone."""
    report = run.report
    also: Sequence[Resource] = ()
    turned: Sequence[Resource] = ()
    if report["what"] == "attach":
        server = session.get(Server, report["server_id"])
        if server is None or Capability.DNS.value not in service.roles:
            return None, []
        turned = [r for r in service.resources if r.server_id == server.id and r.desired is Desired.ABSENT]
        there = add_nameserver(session, fleet.vault, service, server)
        _stay(session, turned)
        also = [r for r in there if r.action != ZONE_ACTION]
    elif report["what"] == "detach":
        also = turned = leave(service, report["server_id"])
    return zone_changed(session, service, run.actor, also=also, turned=turned, priority=DEPLOYMENT, run_id=run.id)


def _come_to_an_end(session: Session, run: LongRun) -> None:
    """Over, unless there are zones that no other nameserver has confirmed yet."""
    kept = 0
    if run.report["what"] == "detach":
        kept = session.scalar(select(func.count()).select_from(_staying(run.report).subquery())) or 0
    if not kept:
        _finish(session, run)
    elif run.report.get("again_at", "") <= utcnow().isoformat():
        run.cursor = 0
        run.report = {**run.report, "kept": kept, "again_at": (utcnow() + AGAIN).isoformat()}


def _stay(session: Session, resources: Sequence[Resource]) -> None:
    """These were about to go, or may be gone already: what the server confirmed before says nothing any more, nor does
    a removal that runs at this moment."""
    for resource in resources:
        resource.applied_generation = 0
    ids = [r.id for r in resources]
    running = select(Task.id).where(Task.resource_id.in_(ids), Task.status == TaskStatus.RUNNING, ~Task.check_mode)
    for task_id in session.scalars(running.order_by(Task.id)).all():
        task = take_task(session, task_id)
        if task is not None:
            task.generation = None


def leave(service: Service, server_id: int) -> list[Resource]:
    """The zone, and the account if it is there for nothing else, shall be gone from a nameserver."""
    mine = [r for r in service.resources if r.server_id == server_id]
    going = [r for r in mine if r.action == ZONE_ACTION]
    for resource in list(going):
        account = resource.account
        if account is not None and account.roles == [Capability.DNS.value]:
            going += [r for r in mine if r.account_id == account.id and r is not resource]
        elif account is not None:
            account.roles = [role for role in account.roles if role != Capability.DNS.value]
    wish(going, Desired.ABSENT)
    return going


def _count(session: Session, run: LongRun, pipeline_id: int) -> bool:
    """Whether one zone's change needs no more watching: it is over, or waits for a server that is away or out of
    use."""
    pipeline = session.get(Pipeline, pipeline_id)
    if pipeline is not None and pipeline.finished_at is None:
        rows = session.execute(
            select(Task.status, Server.blocked_since, Server.status.label("server"))
            .join(Server, Server.id == Task.server_id)
            .where(Task.pipeline_id == pipeline_id)
        ).all()
        still = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING)
        if any(row.status in still and row.blocked_since is None and row.server in RUNNABLE for row in rows):
            return False
    run.done += 1
    if pipeline is not None:
        failed = select(Task.id).where(Task.pipeline_id == pipeline_id, Task.status == TaskStatus.FAILED).limit(1)
        run.failed += session.scalar(failed) is not None
    return True


def _finish(session: Session, run: LongRun) -> None:
    run.finished_at = utcnow()
    session.add(
        OperationLog(
            actor=run.actor,
            action="zone.rollout",
            target=run.title[:300],
            result="done",
            message=f"{run.done} zones, {run.failed} with a failure",
            detail={"run_id": run.id},
        )
    )


def missing_zones(session: Session, server: Server) -> list[LongRun]:
    """Runs that bring a nameserver the zones of its groups that were made while it took none."""
    found = [
        start(
            session,
            journal.ENGINE,
            f"{server.name} gets the zones of {group.name}",
            "attach",
            server_id=server.id,
            group_id=group.id,
        )
        for group in server.dns_groups
    ]
    return [run for run in found if run is not None]
