"""Nothing answers without a token but the document that says so."""

from __future__ import annotations

import pytest
from api_world import an_order, rows
from sqlalchemy import event
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.operations import tokens
from controller.web.api.routes import CALLS

CLOSED = sorted({call.path.replace("{id}", "1") for call in CALLS if not call.public} | {"/", "/nothing"})


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_a_token(anyone: TestClient, filled: Fleet, method: str, path: str) -> None:
    answer = anyone.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="hestia-fleet"'


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer hf_nonsense", "Basic YTpi", "hf_nonsense", "Bearer ä", "bearer " + "x" * 8000],
)
def test_with_what_is_no_token(anyone: TestClient, filled: Fleet, header: str) -> None:
    before = rows(filled)
    answer = anyone.post("/services", json=an_order(), headers={"Authorization": header.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401
    assert "error=" in answer.headers["www-authenticate"]
    assert rows(filled) == before


def test_the_document_is_open(anyone: TestClient) -> None:
    assert anyone.get("/openapi.json").status_code == 200


def test_the_life_of_a_token(anyone: TestClient, filled: Fleet) -> None:
    token, plain = tokens.create(filled, "test", name="billing", scope="admin")
    headers = {"Authorization": f"Bearer {plain}"}
    assert anyone.get("/services", headers=headers).status_code == 200
    assert anyone.get("/services", headers={"Authorization": f"bearer  {plain} "}).status_code == 200
    tokens.revoke(filled, "test", token.id)
    before = rows(filled)
    answer = anyone.post("/services", json=an_order(), headers=headers)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]
    assert rows(filled) == before


def test_a_token_that_may_only_read(reader: TestClient, filled: Fleet) -> None:
    assert reader.get("/services").status_code == 200
    before = rows(filled)
    changing = [call for call in CALLS if call.changes]
    assert changing
    for call in changing:
        answer = reader.post(call.path.replace("{id}", "1"), json=an_order())
        assert answer.status_code == 403, call.path
        assert answer.headers["content-type"] == "application/problem+json"
        assert "insufficient_scope" in answer.headers["www-authenticate"]
    assert reader.delete("/services/1").status_code == 403
    assert rows(filled) == before


def test_a_session_cookie_does_not_open_the_api(anyone: TestClient, filled: Fleet) -> None:
    from controller.operations import people

    people.create_user(filled, "test", email="staff@example.com", name="S", role="owner", password="long enough 1")
    page = anyone.get("http://testserver/login").text
    csrf = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    form = {"email": "staff@example.com", "password": "long enough 1", "csrf_token": csrf}
    signed_in = anyone.post("http://testserver/login", data=form, follow_redirects=False)
    assert signed_in.status_code == 303
    assert anyone.get("/services").status_code == 401


def test_a_request_does_not_write_for_its_token(client: TestClient, filled: Fleet) -> None:
    client.get("/services")
    written: list[str] = []

    @event.listens_for(filled.database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().startswith(("SELECT", "BEGIN")):
            written.append(statement)

    for _ in range(5):
        client.get("/services")
    assert written == []


def test_what_a_token_did_is_in_the_audit(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    assert any("token admin" in row and "service.order" in row for row in rows(filled)["operation_log"])
