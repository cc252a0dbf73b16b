"""The free search among tasks finds the same whichever way it goes, on both storages."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from controller.domain.words import TaskStatus
from controller.engine.fleet import Fleet
from controller.operations import usage
from controller.sandbox.big_fleet import fill
from controller.settings import Settings
from controller.store import task_search
from controller.store.models import Account, Service, Task
from controller.store.task_queries import TaskFilter, task_page
from controller.store.vault import create_key
from tests.support.storages import Storage

WORDS = (
    "site00007",
    "SITE",
    "site00011-mail",
    "web001",
    "fleet.test",
    "publishing dns",
    "DNS on dns002.fleet",
    "Removing",
    "collecting",
    "refused",
    "100%",
    "zzz",
    "_",
)


def test_rare_frequent_and_unknown_words_find_what_reading_every_task_finds(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, **storage.settings)
    create_key(settings.key_file)
    fleet = Fleet.open(settings)
    fill(fleet, 10, 30, days=1)
    usage.refresh_all(fleet, "test")
    with fleet.database.write() as session:
        broken = session.scalars(select(Task).where(Task.service_id == 7).limit(1)).one()
        broken.status, broken.error = TaskStatus.FAILED, "Disk 100% full"
    for few in (0, 1000):
        monkeypatch.setattr(task_search, "FEW_SERVICES", few)
        monkeypatch.setattr(task_search, "FEW_SERVERS", few)
        for word in WORDS:
            with fleet.database.read() as session:
                page = task_page(session, TaskFilter(search=word), per_page=1000)
                assert ([task.id for task in page.items], page.more) == (read_through(fleet, word), False), word
                by_target = task_page(session, TaskFilter(search=word), sort="target", per_page=1000)
                assert {task.id for task in by_target.items} == {task.id for task in page.items}
                failed = task_page(session, TaskFilter(search=word, state="failed"), per_page=1000)
                expected = [task.id for task in page.items if task.status is TaskStatus.FAILED]
                assert [task.id for task in failed.items] == expected
        monkeypatch.setattr(task_search, "FOUND_MAX", 40)
        with fleet.database.read() as session:
            page = task_page(session, TaskFilter(search="site"), page=9, per_page=25)
        assert (page.total, page.page, page.more) == (40, 2, True)
        assert [task.id for task in page.items] == read_through(fleet, "site")[25:40]
        monkeypatch.undo()
    fleet.close()


def read_through(fleet: Fleet, word: str) -> list[int]:
    """Ids of the tasks that have the word, the newest first."""

    def has(*texts: str | None) -> bool:
        return any(word.lower() in (text or "").lower() for text in texts)

    with fleet.database.read() as session:
        named = {one.id for one in session.scalars(select(Service)) if has(one.domain, one.domain_unicode)}
        named |= {one.service_id or 0 for one in session.scalars(select(Account)) if has(one.username)}
        return [
            task.id
            for task in session.scalars(select(Task).order_by(Task.id.desc()))
            if task.service_id in named
            or has(task.label, task.server.name, task.server.hostname)
            or (task.service_id is None and has(task.target))
            or (task.status in task_search.TROUBLE and has(task.error))
        ]
