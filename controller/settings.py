"""Settings of one installation, read from the environment (prefix ``HESTIA_FLEET_``)."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every knob with its default; times are seconds."""

    model_config = SettingsConfigDict(env_prefix="HESTIA_FLEET_", extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".local/share/hestia-fleet", description="the data folder")
    database_url: str = Field("", description="SQLAlchemy URL; SQLite in the data folder if empty")
    queue_url: str = Field("", description="SQLite in the data folder if empty; sqlite:///path or redis://...")
    database_busy_seconds: float = Field(30.0, gt=0, description="how long a writer waits for another one")
    secret_key_file: Path | None = Field(None, description="key that encrypts secrets and signs sessions")

    workers: int = Field(4, ge=1, le=64, description="tasks one worker process runs side by side")
    lease_seconds: float = Field(20.0, gt=1, description="a worker that does not renew this long is dead")
    task_timeout: float = Field(900.0, gt=1, description="longest run of one attempt")
    reconcile_seconds: float = Field(2.0, gt=0, description="how often lost wake-ups and leases are looked for")
    warm_ansible: bool = Field(True, description="fork runs from a process that has imported Ansible already")
    server_python: str = Field("/usr/bin/python3", description="Python of the servers")

    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$",
        description="address of the pages, for links in e-mails and webhooks",
    )
    session_hours: int = Field(12, ge=1, description="an idle person is signed out after this")
    secure_cookies: bool = Field(False, description="cookies over HTTPS only; switch it on behind TLS")
    login_rate: str = Field("10/minute", description="how often one address may try to sign in")
    event_flush_seconds: float = Field(0.1, gt=0, description="how often log lines of running tasks are stored")

    @cached_property
    def effective_database_url(self) -> str:
        """SQLAlchemy URL; SQLite in the data folder unless set."""
        return self.database_url or f"sqlite:///{self.home / 'fleet.db'}"

    @cached_property
    def effective_queue_url(self) -> str:
        """``sqlite:///path`` or ``redis://...`` for huey's storage."""
        return self.queue_url or f"sqlite:///{self.home / 'queue.db'}"

    @cached_property
    def key_file(self) -> Path:
        """File with the key that encrypts secrets at rest and signs sessions (mode 0600)."""
        return self.secret_key_file or self.home / "secret.key"

    @cached_property
    def run_dir(self) -> Path:
        """Folder for what a run needs on disk; in memory (tmpfs) where the system has one.

        Inventory and secrets of a run live here for its duration only, so they should not touch a disk
        at all; the short path also keeps SSH control sockets under their 104 byte limit.
        """
        shared_memory = Path("/dev/shm")
        if shared_memory.is_dir() and os.access(shared_memory, os.W_OK | os.X_OK):
            mark = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:10]
            return shared_memory / f"hfleet-{os.getuid()}-{mark}"
        return self.home / "run"
