"""Tickets and webhooks over the API."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import rows
from sqlalchemy import select
from starlette.testclient import TestClient

from controller.domain.tickets import EVENTS
from controller.engine.fleet import Fleet
from controller.operations import people, tickets
from controller.store.desk_models import Webhook
from controller.store.models import IdempotencyKey


@pytest.fixture
def staff(filled: Fleet) -> int:
    return people.create_user(
        filled, "test", email="op@host.test", name="Op", role="operator", password="a long passphrase"
    ).id


def test_the_life_of_a_ticket(client: TestClient, staff: int) -> None:
    (listed,) = client.get("/tickets").json()["items"]
    assert (listed["subject"], listed["server"], listed["assignee"]) == (
        "web01 does not answer",
        {"id": 1, "name": "web01"},
        None,
    )
    assert client.post("/tickets/1/assign", json={"assignee": "op@host.test"}).json()["assignee"]["id"] == staff
    assert client.post("/tickets/1/assign", json={"assignee": staff}).status_code == 200
    note = client.post("/tickets/1/notes", json={"text": "one\ntwo"})
    assert (note.status_code, note.json()["body"], note.json()["actor"]) == (201, "one\ntwo", "token admin")
    assert client.post("/tickets/1/close", json={"text": "fixed"}).json()["status"] == "closed"
    refused = client.post("/tickets/1/close", json={})
    assert (refused.status_code, refused.json()["detail"]) == (409, "ticket 1 is closed already")
    assert client.get("/tickets?status=open").json()["items"] == []
    assert client.post("/tickets/1/reopen").json()["closed_at"] is None
    kinds = [one["kind"] for one in client.get("/tickets/1/notes").json()["items"]]
    assert kinds == ["reopened", "closed", "note", "assigned", "failure"]


def test_a_note_sent_again_with_its_key_is_written_once(client: TestClient) -> None:
    for replayed in (None, "true"):
        answer = client.post("/tickets/1/notes", json={"text": "once"}, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (201, replayed)
    assert client.get("/tickets/1/notes").json()["page"]["total"] == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=open", 1),
        ("status=closed", 0),
        ("assignee=nobody", 1),
        ("assignee=1", 0),
        ("server=web01", 1),
        ("server=web02", 0),
        ("search=answer", 1),
        ("search=%231", 1),
        ("search=%", 0),
        ("sort=-failures", 1),
        ("page=2", 0),
    ],
)
def test_tickets_are_found(client: TestClient, query: str, found: int) -> None:
    assert len(client.get(f"/tickets?{query}").json()["items"]) == found


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "/tickets?status=x", None, 422, "status"),
        ("GET", "/tickets?assignee=x", None, 422, "assignee"),
        ("GET", "/tickets?server=nowhere", None, 404, None),
        ("GET", "/tickets/web01", None, 404, None),
        ("POST", "/tickets/1/notes", {}, 422, "text"),
        ("POST", "/tickets/1/notes", {"text": 3}, 422, "text"),
        ("POST", "/tickets/1/notes", {"text": "\x00"}, 422, "text"),
        ("POST", "/tickets/1/assign", {}, 422, "assignee"),
        ("POST", "/tickets/1/assign", {"assignee": "x@host.test"}, 422, "assignee"),
        ("POST", "/tickets/1/close", {"text": "x" * 5001}, 422, "text"),
        ("POST", "/tickets/1/close", {"nonsense": 1}, 422, "nonsense"),
        ("POST", "/tickets/1/reopen", {}, 409, None),
        ("POST", "/webhooks", {"name": "new"}, 422, "url"),
        ("POST", "/webhooks", {"name": "chat", "url": "https://a.test"}, 409, "name"),
        ("POST", "/webhooks", {"name": "new", "url": "file:///etc/passwd"}, 422, "url"),
        ("POST", "/webhooks", {"name": "new", "url": "https://a.test", "events": ["x"]}, 422, "events"),
        ("POST", "/webhooks", {"name": "new", "url": "https://a.test", "secret": "mine"}, 422, "secret"),
        ("PATCH", "/webhooks/chat", {"url": "nowhere"}, 422, "url"),
        ("PATCH", "/webhooks/chat", {"active": "yes"}, 422, "active"),
        ("PATCH", "/webhooks/nobody", {"active": False}, 404, None),
        ("DELETE", "/webhooks/nobody", None, 404, None),
        ("PUT", "/webhooks/chat", {}, 405, None),
    ],
)
def test_bad_input_is_answered_in_words_and_writes_nothing(
    client: TestClient, filled: Fleet, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    before = rows(filled)
    answer = client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert [one["field"] for one in answer.json().get("errors", [])] == ([field] if field else [])
    assert rows(filled) == before


def test_the_life_of_a_webhook(client: TestClient, filled: Fleet) -> None:
    made = client.post(
        "/webhooks", json={"name": "pager", "url": "https://pager.test/in"}, headers={"Idempotency-Key": "k"}
    )
    secret = made.json()["secret"]
    assert (made.status_code, made.json()["events"], secret[:6]) == (201, list(EVENTS), "whsec_")
    assert secret not in client.get("/webhooks").text + client.get("/webhooks/pager").text
    with filled.database.read() as session:
        stored = session.scalars(select(Webhook.secret).where(Webhook.name == "pager")).one()
        assert session.scalars(select(IdempotencyKey)).all() == [], "an answer with a secret is not kept"
    assert filled.vault.unseal(stored) == secret
    changed = client.patch("/webhooks/pager", json={"events": ["ticket.closed"], "name": "bell"}).json()
    assert (changed["name"], changed["events"], changed["url"]) == ("bell", ["ticket.closed"], "https://pager.test/in")
    tickets.close(filled, "test", 1)
    assert client.post("/webhooks/bell/test").status_code == 202
    sent = client.get("/webhooks/bell/deliveries").json()["items"]
    assert [(one["event"], one["status"]) for one in sent] == [
        ("webhook.test", "pending"),
        ("ticket.closed", "pending"),
    ]
    assert client.patch("/webhooks/bell", json={"active": False}).json()["active"] is False
    assert client.post("/webhooks/bell/test").status_code == 409
    assert client.delete("/webhooks/bell").status_code == 200
    assert client.get("/webhooks/bell").status_code == 404


def test_a_reading_token_only_reads(reader: TestClient) -> None:
    for path in (
        "/tickets",
        "/tickets/1",
        "/tickets/1/notes",
        "/webhooks",
        "/webhooks/chat",
        "/webhooks/chat/deliveries",
    ):
        assert reader.get(path).status_code == 200
    for method, path in (
        ("POST", "/tickets/1/notes"),
        ("POST", "/tickets/1/close"),
        ("POST", "/webhooks"),
        ("PATCH", "/webhooks/chat"),
        ("DELETE", "/webhooks/chat"),
    ):
        assert reader.request(method, path, json={"text": "x"}).status_code == 403
