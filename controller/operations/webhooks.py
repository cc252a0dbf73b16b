"""Webhooks: addresses that are told what happens. The secret is shown once and kept encrypted."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controller.domain.tickets import EVENTS
from controller.domain.webhooks import url_problem
from controller.engine.announcements import TEST_EVENT, webhook_delivery
from controller.engine.fleet import Fleet
from controller.operations.errors import Conflict, Refused
from controller.operations.fields import Fields
from controller.operations.records import audit, must
from controller.store.desk_models import Delivery, Webhook
from controller.store.ticket_queries import find_webhook

Key = int | str


def create(
    fleet: Fleet, actor: str, *, name: str, url: str, events: Sequence[str], active: bool = True
) -> tuple[Webhook, str]:
    """A new webhook and its secret, which is never shown again. Raises Invalid, Conflict."""
    fields = Fields()
    name = fields.name("name", name)
    url = _url(fields, url)
    chosen = _events(fields, events)
    fields.finish()
    secret = new_secret()
    with fleet.database.write() as session:
        webhook = Webhook(name=name, url=url, events=chosen, active=active, secret=fleet.vault.seal(secret))
        session.add(webhook)
        _flush(session, name)
        # Not the address: many services put a secret into it.
        audit(session, actor, "webhook.create", name, events=chosen)
    return webhook, secret


def edit(
    fleet: Fleet,
    actor: str,
    key: Key,
    *,
    name: str | None = None,
    url: str | None = None,
    events: Sequence[str] | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given. Raises Invalid, NotFound, Conflict."""
    fields = Fields()
    changes: dict[str, object] = {}
    if name is not None:
        changes["name"] = fields.name("name", name)
    if url is not None:
        changes["url"] = _url(fields, url)
    if events is not None:
        changes["events"] = _events(fields, events)
    if active is not None:
        changes["active"] = active
    fields.finish()
    with fleet.database.write() as session:
        webhook = _find(session, key)
        changed = [field for field, value in changes.items() if getattr(webhook, field) != value]
        for field in changed:
            setattr(webhook, field, changes[field])
        _flush(session, webhook.name)
        if changed:
            audit(session, actor, "webhook.edit", webhook.name, changed=changed)
    return webhook


def delete(fleet: Fleet, actor: str, key: Key) -> Webhook:
    """Forget a webhook and what was still to be sent to it. Raises NotFound."""
    with fleet.database.write() as session:
        webhook = _find(session, key)
        session.delete(webhook)
        audit(session, actor, "webhook.delete", webhook.name)
    return webhook


def send_test(fleet: Fleet, actor: str, key: Key) -> Delivery:
    """Queue a message that tells nothing, to see whether it arrives. Raises NotFound, Refused when it is off."""
    with fleet.database.write() as session:
        webhook = _find(session, key)
        if not webhook.active:
            raise Refused(f"{webhook.name} is switched off")
        delivery = webhook_delivery(webhook.id, TEST_EVENT, {"message": f"A test, sent by {actor}."})
        session.add(delivery)
        session.flush()
        audit(session, actor, "webhook.test", webhook.name)
    return delivery


def new_secret() -> str:
    """256 random bits as Standard Webhooks writes them."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _find(session: Session, key: Key) -> Webhook:
    return must(find_webhook(session, key), "webhook", key)


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"there is a webhook {name} already", field="name") from None


def _url(fields: Fields, value: str) -> str:
    url = value.strip() if isinstance(value, str) else ""
    if problem := url_problem(url):
        fields.problem("url", problem)
    return url


def _events(fields: Fields, values: Sequence[str]) -> list[str]:
    unknown = [value for value in values if value not in EVENTS]
    if unknown or not values:
        fields.problem("events", f"must be some of {', '.join(EVENTS)}")
    return [event for event in EVENTS if event in values]
