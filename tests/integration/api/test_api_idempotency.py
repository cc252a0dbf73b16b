"""The same request twice creates one thing, however the first one ended."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from api_world import API, an_order, deployed, rows
from sqlalchemy import select, update
from starlette.testclient import TestClient

from controller.engine.fleet import Fleet
from controller.operations import tokens
from controller.store.base import utcnow
from controller.store.models import IdempotencyKey
from controller.web.api import idempotency
from controller.web.api.problems import ProblemError
from tests.integration.api.test_api_document import DOCUMENT, OTHERS, SAMPLES

KEY = {"Idempotency-Key": "order-1"}


def services(fleet: Fleet) -> int:
    return len(rows(fleet)["services"])


def test_the_same_request_again_gets_the_first_answer(client: TestClient, filled: Fleet) -> None:
    first = client.post("/services", json=an_order(), headers=KEY)
    assert first.status_code == 202
    assert "idempotency-replayed" not in first.headers
    before = rows(filled)
    client.post("/services/1/terminate")
    again = client.post("/services", json=an_order(), headers=KEY)
    assert again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.content == first.content
    assert len(rows(filled)["services"]) == len(before["services"]) == 1


def test_the_order_of_fields_does_not_matter(client: TestClient) -> None:
    client.post("/services", json=an_order(), headers=KEY)
    body = dict(reversed(an_order().items()))
    assert client.post("/services", json=body, headers=KEY).headers["idempotency-replayed"] == "true"


def test_the_same_key_for_another_request(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order(), headers=KEY)
    before = rows(filled)
    for path, body in (
        ("/services", an_order("other.example")),
        ("/customers", {"email": "a@b.example", "name": "A"}),
    ):
        answer = client.post(path, json=body, headers=KEY)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("/key-reused")
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert rows(filled) == before


def test_keys_of_different_tokens_do_not_meet(client: TestClient, anyone: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order(), headers=KEY)
    plain = tokens.create(filled, "test", name="second", scope="admin")[1]
    headers = {**KEY, "Authorization": f"Bearer {plain}"}
    assert anyone.post("/services", json=an_order("other.example"), headers=headers).status_code == 202


WITHOUT_A_KEY = {
    "/servers/look": "only looks; nothing is stored",
    "/webhooks": "its answer has a secret, and the answer to a key is kept",
}


def test_every_post_takes_a_key_but_those_that_are_named() -> None:
    posts = {path: item["post"] for path, item in DOCUMENT["paths"].items() if "post" in item}
    without = {
        path
        for path, operation in posts.items()
        if idempotency.HEADER not in [parameter["name"] for parameter in operation["parameters"]]
    }
    assert without == set(WITHOUT_A_KEY)


NOT_TRIED = {
    "/servers",
    "/servers/{id}/host-key",
    "/servers/{id}/lost",
    "/settings/mail/test",
    "/drift-checks/{id}/repair",
}
"""Those need more than rows: a server that answers, a fleet that differs."""


def test_every_post_sent_again_does_nothing_more(client: TestClient, filled: Fleet) -> None:
    done = set()
    more = [
        ("patch", "/groups/1/config/all", {"LANGUAGE": "de"}),
        ("post", "/servers/{id}/config", {}),
        ("post", "/jobs/{id}/run", {}),
    ]
    for number, (method, path, body) in enumerate([*SAMPLES, *more]):
        if path == "/zones":
            deployed(filled)
        address = path.format_map(OTHERS | {"id": "clean-up" if path.startswith("/jobs") else "1"})
        headers = {"Idempotency-Key": f"sample-{number}"} if method == "post" else {}
        first = client.request(method, address, json=body, headers=headers)
        if method != "post" or first.status_code >= 300 or path in WITHOUT_A_KEY:
            continue
        located = "Location" in DOCUMENT["paths"][path]["post"]["responses"][str(first.status_code)]["headers"]
        assert ("location" in first.headers) == located, path
        if located:
            assert first.headers["location"] == first.json()["links"]["self"]
            assert client.get(first.headers["location"].removeprefix(API)).status_code == 200, path
        before = rows(filled)
        again = client.post(address, json=body, headers=headers)
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (first.status_code, "true"), path
        assert again.content == first.content
        assert rows(filled) == before, path
        done.add(path)
    client.post("/services", json=an_order("checked.example"))
    deployed(filled)
    run = client.post("/drift-checks").json()["links"]["self"].removeprefix(API)
    stopped = [client.post(f"{run}/cancel", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in stopped] == [202, 202]
    assert stopped[0].json() == stopped[1].json()
    done.add("/drift-checks/{id}/cancel")
    posts = {path for path, item in DOCUMENT["paths"].items() if "post" in item}
    assert posts - done == NOT_TRIED | set(WITHOUT_A_KEY)


def test_what_was_under_way_already_is_the_answer_of_a_key_too(client: TestClient, filled: Fleet) -> None:
    running = client.post("/servers/web01/check").json()
    for replayed in (None, "true"):
        answer = client.post("/servers/web01/check", headers=KEY)
        assert (answer.json()["id"], answer.headers.get("idempotency-replayed")) == (running["id"], replayed)


def test_a_refused_request_leaves_its_key_free(client: TestClient, filled: Fleet) -> None:
    before = rows(filled)
    assert client.post("/services", json=an_order("nonsense"), headers=KEY).status_code == 422
    assert client.post("/services", json=an_order(product="None such"), headers=KEY).status_code == 422
    assert rows(filled) == before
    assert client.post("/services", json=an_order(), headers=KEY).status_code == 202


@pytest.mark.parametrize("key", ["", "k" * 256, "two\twords"])
def test_a_bad_key(client: TestClient, filled: Fleet, key: str) -> None:
    before = rows(filled)
    answer = client.post("/services", json=an_order(), headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert rows(filled) == before


def test_two_at_the_same_time(address: str, token: str, filled: Fleet) -> None:
    """Real server, real threads: one order; the others get its answer, or are told to wait for it."""
    for number in range(5):
        ready = threading.Barrier(4)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"race-{number}"}

        def send(number: int = number, ready: threading.Barrier = ready, headers: dict[str, str] = headers) -> int:
            with httpx2.Client() as client:
                ready.wait()
                answer = client.post(f"{address}/services", json=an_order(f"race{number}.example"), headers=headers)
            assert answer.status_code in (202, 409), answer.text
            if answer.status_code == 409:
                assert answer.json()["type"].endswith("/in-progress")
                assert answer.headers["retry-after"]
            return answer.status_code

        with ThreadPoolExecutor(4) as pool:
            answers = [future.result() for future in [pool.submit(send) for _ in range(4)]]
        assert 202 in answers
        assert services(filled) == number + 1


def test_while_the_first_is_being_worked_on(client: TestClient, filled: Fleet) -> None:
    body = an_order()
    held = idempotency.claim(filled, 1, "order-1", idempotency.fingerprint(filled, "/api/v1/services", body))
    assert isinstance(held, idempotency.Claim)
    answer = client.post("/services", json=body, headers=KEY)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/in-progress")
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert answer.headers["retry-after"] == "1"
    assert services(filled) == 0


def aged(fleet: Fleet, by: dt.timedelta) -> None:
    with fleet.database.write() as session:
        session.execute(update(IdempotencyKey).values(created_at=utcnow() - by))


def test_a_crash_before_the_work_is_done_once_more(client: TestClient, filled: Fleet) -> None:
    """A process that died after its claim has created nothing: the key is taken over."""
    body = an_order()
    held = idempotency.claim(filled, 1, "order-1", idempotency.fingerprint(filled, "/api/v1/services", body))
    assert isinstance(held, idempotency.Claim)
    aged(filled, idempotency.CLAIM_LASTS * 2)
    assert client.post("/services", json=body, headers=KEY).status_code == 202
    assert services(filled) == 1
    # The first one was only slow: it finds its claim gone, and its transaction is rolled back.
    with pytest.raises(ProblemError), filled.database.write() as session:
        idempotency.store(session, held, idempotency.Stored(202, "{}"))


def test_a_crash_after_the_work_does_not_double_it(
    client: TestClient, filled: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens after the commit, the answer is there already."""

    def die(*_: object) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(Fleet, "wake", die)
    assert client.post("/services", json=an_order(), headers=KEY).status_code == 500
    monkeypatch.undo()
    assert services(filled) == 1
    again = client.post("/services", json=an_order(), headers=KEY)
    assert again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert services(filled) == 1


def test_a_task_tried_again_just_before_a_crash_is_not_tried_twice(
    client: TestClient, filled: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What adds no row of its own is answered in its transaction too."""

    def die(*_: object) -> None:
        raise RuntimeError("the process dies here")

    client.post("/services", json=an_order())
    client.post("/tasks/1/cancel")
    monkeypatch.setattr(Fleet, "wake", die)
    assert client.post("/tasks/1/retry", headers=KEY).status_code == 500
    monkeypatch.undo()
    before = rows(filled)
    again = client.post("/tasks/1/retry", headers=KEY)
    assert (again.status_code, again.headers["idempotency-replayed"], again.json()["status"]) == (202, "true", "queued")
    assert rows(filled) == before


def test_work_of_several_transactions_keeps_its_key_while_it_goes_on(filled: Fleet, token: str) -> None:
    first = idempotency.claim(filled, 1, "bulk", "the same")
    assert isinstance(first, idempotency.Claim)
    aged(filled, idempotency.CLAIM_LASTS * 2)
    taken_over = idempotency.claim(filled, 1, "bulk", "the same")
    assert isinstance(taken_over, idempotency.Claim)
    with pytest.raises(ProblemError), filled.database.write() as session:
        idempotency.renew(session, first)
    with filled.database.write() as session:
        session.execute(update(IdempotencyKey).values(created_at=utcnow() - idempotency.CLAIM_LASTS * 2))
        old = session.scalars(select(IdempotencyKey)).one().created_at
        renewed = idempotency.renew(session, idempotency.Claim(taken_over.id, old))
    with pytest.raises(ProblemError, match="still being worked on"):
        idempotency.claim(filled, 1, "bulk", "the same")
    idempotency.release(filled, renewed)
    assert isinstance(idempotency.claim(filled, 1, "bulk", "the same"), idempotency.Claim)


def test_a_crash_while_writing_leaves_nothing(
    client: TestClient, filled: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer and the order are one transaction."""

    def die(*_: object) -> None:
        raise RuntimeError("the process dies here")

    before = rows(filled)
    monkeypatch.setattr(idempotency, "store", die)
    assert client.post("/services", json=an_order(), headers=KEY).status_code == 500
    monkeypatch.undo()
    assert rows(filled) == before
    assert client.post("/services", json=an_order(), headers=KEY).status_code == 202


def test_an_old_key_is_free_again(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order(), headers=KEY)
    aged(filled, dt.timedelta(hours=24, minutes=1))
    answer = client.post("/services", json=an_order("other.example"), headers=KEY)
    assert answer.status_code == 202
    assert "idempotency-replayed" not in answer.headers
