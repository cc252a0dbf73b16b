"""Long runs: lists, and what came after them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controller.domain.words import Reason
from controller.store.models import Pipeline
from controller.store.queries import DEPLOY_REASONS, Page, ordered, paged
from controller.store.work_models import DriftLook, LongRun

DRIFT_CHECK = "drift-check"


def drift_page(session: Session, *, page: int = 1, per_page: int = 25) -> Page[LongRun]:
    """Drift checks, the newest first."""
    query = select(LongRun).where(LongRun.kind == DRIFT_CHECK)
    return paged(session, ordered(query, "-id", {"id": LongRun.id}, "-id"), page, per_page)


def find_drift_check(session: Session, run_id: int) -> LongRun | None:
    """A drift check by id."""
    run = session.get(LongRun, run_id)
    return run if run is not None and run.kind == DRIFT_CHECK else None


def newest_drift_check(session: Session) -> LongRun | None:
    """The drift check that runs or ran last."""
    return session.scalars(select(LongRun).where(LongRun.kind == DRIFT_CHECK).order_by(LongRun.id.desc())).first()


def share_done(session: Session, run: LongRun) -> float:
    """How far a drift check is, from 0 to 1: by looks at services on servers, which come sooner than whole services."""
    looks = int(run.report.get("looks") or 0)
    if run.finished_at is not None or not looks:
        return min(1.0, run.done / run.total) if run.total else 1.0
    left = select(func.count()).select_from(DriftLook).where(DriftLook.run_id == run.id, ~DriftLook.looked)
    return 1 - (session.scalar(left) or 0) / looks


def newest_changes(session: Session, service_ids: Collection[int]) -> dict[int, tuple[int, Reason]]:
    """Id and reason of the newest pipeline that changes each of these services."""
    newest = (
        select(func.max(Pipeline.id))
        .where(Pipeline.service_id.in_(service_ids), Pipeline.reason.in_(DEPLOY_REASONS))
        .group_by(Pipeline.service_id)
    )
    rows = session.execute(select(Pipeline.service_id, Pipeline.id, Pipeline.reason).where(Pipeline.id.in_(newest)))
    return {service_id: (pipeline_id, reason) for service_id, pipeline_id, reason in rows if service_id is not None}
