"""What every tab of a server group shows: its name, its members, how much each tab holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from controller.domain.config_keys import KEYS, Tier
from controller.operations.records import must
from controller.store.fleet_models import DEFAULT_FILE, StandardFile
from controller.store.group_queries import member_count
from controller.store.models import ServerGroup
from controller.store.work_models import LongRun
from controller.store.zone_queries import zone_runs
from controller.web.request_tools import path_id
from controller.web.templating import render


def find(session: Session, request: Request) -> ServerGroup:
    """The group in the path, or NotFound."""
    group_id = path_id(request)
    return must(session.get(ServerGroup, group_id), "group", group_id)


def rollouts(session: Session, group: ServerGroup) -> Sequence[LongRun]:
    """The newest changes of the group's zones, with how far they are."""
    return [run for run in zone_runs(session) if run.report.get("group_id") == group.id][:2]


def group_tab(
    request: Request, session: Session, group: ServerGroup, tab: str, status: int = 200, /, **context: Any
) -> Response:
    """A tab; its template is ``admin/groups/<template>.html``, named like the tab unless ``template`` says other."""
    managed = Counter(KEYS[key].tier.value for key in group.config if key in KEYS)
    own_files = (
        select(func.count())
        .select_from(StandardFile)
        .where(StandardFile.group_id == group.id, StandardFile.origin != DEFAULT_FILE)
    )
    return render(
        request,
        f"admin/groups/{context.pop('template', tab)}.html",
        status,
        group=group,
        tab=tab,
        members=member_count(session, group.id),
        managed={tier.value: managed[tier.value] for tier in Tier},
        own_files=session.scalar(own_files),
        **context,
    )
