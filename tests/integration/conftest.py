"""Thousands of tests in a few minutes: what costs time by design or by being done once per process is done less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from controller.operations import people
from controller.web import app
from controller.web.assets import Assets


@pytest.fixture(scope="session", autouse=True)
def quick_sign_in() -> Iterator[None]:
    """The same hash of passwords with the least work instead of a quarter of a second."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", lambda: quick)
        yield


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    """All applications of this process share their templates."""
    make, made = app.make_environment, dict[Path, Environment]()

    def shared(ui: Path, assets: Assets) -> Environment:
        if ui not in made:
            made[ui] = make(ui, assets)
        return made[ui]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "make_environment", shared)
        yield
