"""Groups over the API: what they are, what they want of their servers, and bringing it there."""

from __future__ import annotations

import pytest
from api_world import an_order, deployed, rows
from sqlalchemy import select
from starlette.testclient import TestClient

from controller.domain.config_keys import KEYS
from controller.domain.standard_files import MAX_BYTES, STANDARD_FILES
from controller.domain.words import CONFIG_ACTION, TaskStatus
from controller.engine.fleet import Fleet
from controller.store.base import utcnow
from controller.store.models import Pipeline, Resource, Server, Task
from tests.integration.api.test_api_document import conforms


def test_a_group_is_changed_field_by_field(client: TestClient) -> None:
    template = client.post("/zone-templates", json={"name": "Mine"}).json()
    answer = client.patch("/groups/Group", json={"description": "North", "zone_template": "Mine"})
    assert answer.status_code == 200, answer.text
    group = answer.json()
    assert (group["name"], group["description"], group["zone_ttl"]) == ("Group", "North", 3600)
    assert group["zone_template"] == {"id": template["id"], "name": "Mine"}
    changed = client.patch(f"/groups/{group['id']}", json={"name": "North", "zone_template": None}).json()
    assert (changed["name"], changed["description"], changed["zone_template"]) == ("North", "North", None)
    other = client.post("/groups", json={"name": "Other"}).json()
    assert client.patch("/groups/Other", json={"name": "North"}).status_code == 409
    assert client.delete("/groups/Other").json() == other
    assert client.get("/groups/Other").status_code == 404
    assert "products point at North" in client.delete("/groups/North").json()["detail"]


def test_variables_are_the_whole_list(client: TestClient) -> None:
    for variables in ({"ns1": "NS1.fleet.test", "color": "blue; {ns1}"}, {}):
        answer = client.put("/groups/Group/variables", json={"variables": variables})
        assert answer.status_code == 200, answer.text
        wanted = {"ns1": "ns1.fleet.test", "color": "blue; {ns1}"} if variables else {}
        assert client.get("/groups/Group").json()["variables"] == answer.json()["variables"] == wanted


def test_zones_follow_changed_variables_when_they_are_asked_to(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    deployed(filled)
    path = "/groups/Group/variables"
    client.put(path, json={"variables": {}})
    for variables, changed, zones in (
        ({"ns1": "ns1.fleet.test", "color": "blue"}, ["color", "ns1"], 1),
        ({"ns1": "NS1.fleet.test", "color": "red"}, ["color"], 0),
        ({"color": "red"}, ["ns1"], 1),
    ):
        answer = client.put(path, json={"variables": variables}).json()
        assert (answer["changed"], answer["zones"]) == (changed, zones)
    redeploy = "/groups/Group/zones/redeploy"
    assert answer["links"]["redeploy"].endswith(f"/groups/{answer['id']}/zones/redeploy")
    assert client.post(redeploy, json={"variables": ["color"]}).status_code == 409
    for wrong in (["Not one"], []):
        refused = client.post(redeploy, json={"variables": wrong})
        assert [error["field"] for error in refused.json()["errors"]] == ["variables"]
    first, again = (
        client.post(redeploy, json={"variables": ["ns1"]}, headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert (first.status_code, first.json()["total"], first.json()["title"]) == (202, 1, "Zones of Group")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert client.post(redeploy, json={}).json()["total"] == 1


def test_servers_come_and_go(client: TestClient) -> None:
    assert client.post("/groups", json={"name": "Other"}).status_code == 201
    moved = client.post("/groups/Other/servers", json={"server": "web02"}).json()
    assert [server["name"] for server in moved["servers"]] == ["web02"]
    assert "web02" not in str(client.get("/groups/Group").json()["servers"])
    assert client.delete("/groups/Group/servers/web02").status_code == 409
    assert client.delete("/groups/Other/servers/web02").json()["servers"] == []
    assert client.delete("/groups/Other/servers/nothing").status_code == 404


def test_nameservers_are_the_whole_list(client: TestClient, filled: Fleet) -> None:
    client.post("/services", json=an_order())
    deployed(filled)
    left = client.put("/groups/Group/dns-servers", json={"dns_servers": ["ns1"]})
    assert [server["name"] for server in left.json()["dns_servers"]] == ["ns1"]
    run = client.get("/zone-runs").json()["items"][0]
    assert (run["title"], run["total"], run["finished_at"]) == ("The zones of Group leave ns2", 1, None)
    assert client.get(f"/zone-runs/{run['id']}").json() == run
    before = rows(filled)
    assert client.put("/groups/Group/dns-servers", json={"dns_servers": []}).status_code == 409
    refused = client.put("/groups/Group/dns-servers", json={"dns_servers": ["ns1", "web01", "none"]})
    assert refused.status_code == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"dns_servers"}
    assert rows(filled) == before


def test_the_catalogue_of_settings(client: TestClient) -> None:
    keys = client.get("/config-keys").json()["items"]
    assert [key["key"] for key in keys] == list(KEYS)
    language = keys[0]
    assert (language["key"], language["tier"], language["type"], language["managed"]) == (
        "LANGUAGE",
        "all",
        "choice",
        True,
    )
    assert language["allowed"]["de"] == "German"
    mail = client.get("/config-keys?tier=mail").json()["items"]
    assert {key["tier"] for key in mail} == {"mail"}
    assert client.get("/config-keys?tier=ftp").status_code == 422


def test_settings_by_tier(client: TestClient) -> None:
    client.patch("/groups/Group/config/all", json={"LANGUAGE": "de", "THEME": "dark"})
    client.patch("/groups/Group/config/mail", json={"WEBMAIL_ALIAS": "post"})
    answer = client.patch("/groups/Group/config/all", json={"THEME": None})
    assert answer.json() == {"all": {"LANGUAGE": "de"}, "web": {}, "mail": {"WEBMAIL_ALIAS": "post"}, "dns": {}}
    assert client.get("/groups/Group/config").json() == answer.json()


@pytest.mark.parametrize(
    ("tier", "body", "field"),
    [
        ("all", {"LANGUAGE": "klingon"}, "LANGUAGE"),
        ("all", {"LANGUAGE": 5}, "LANGUAGE"),
        ("all", {"LANGUAGE": ["de"]}, "LANGUAGE"),
        ("all", {"THEME": "dark", "NOTHING": "x"}, "NOTHING"),
        ("all", {"WEBMAIL_ALIAS": "mail"}, "WEBMAIL_ALIAS"),
        ("mail", {"WEBMAIL_ALIAS": "a'; rm -rf /"}, "WEBMAIL_ALIAS"),
        ("mail", {"WEBMAIL_ALIAS": "a\nb"}, "WEBMAIL_ALIAS"),
        ("mail", {"WEBMAIL_ALIAS": "a" * 300}, "WEBMAIL_ALIAS"),
        ("mail", {"IMAP_SYSTEM": "dovecot"}, "IMAP_SYSTEM"),
        ("all", {"APP_NAME": "$(id)"}, "APP_NAME"),
        ("all", [], "body"),
        ("all", "LANGUAGE=de", "body"),
    ],
)
def test_a_bad_setting_is_refused(client: TestClient, filled: Fleet, tier: str, body: object, field: str) -> None:
    before = rows(filled)
    answer = client.patch(f"/groups/Group/config/{tier}", json=body)
    assert answer.status_code == 422, answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert rows(filled) == before
    assert client.patch("/groups/Group/config/ftp", json={}).status_code == 404


def test_settings_that_do_not_go_together_are_refused(client: TestClient) -> None:
    assert client.patch("/groups/Group/config/web", json={"DB_PMA_ALIAS": "db"}).status_code == 200
    answer = client.patch("/groups/Group/config/web", json={"DB_PGA_ALIAS": "db"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "DB_PGA_ALIAS", "reason": "the other database tool has this path"}]
    gzip = client.patch("/groups/Group/config/all", json={"BACKUP_MODE": "gzip", "BACKUP_GZIP": "10"})
    assert [(error["field"], error["reason"]) for error in gzip.json()["errors"]] == [
        ("BACKUP_GZIP", "goes to 9 with gzip, which the group wants")
    ]
    assert client.patch("/groups/Group/config/all", json={"BACKUP_GZIP": "10"}).status_code == 200
    both = client.patch("/groups/Group/config/web", json={"DB_PMA_ALIAS": "my", "DB_PGA_ALIAS": "db"})
    assert both.status_code == 200


def test_standard_files(client: TestClient, filled: Fleet) -> None:
    files = client.get("/groups/Group/files").json()["items"]
    assert [file["name"] for file in files] == list(STANDARD_FILES)
    assert {file["origin"] for file in files} == {"default"}
    text = "<h1>\u20acin {{ brace }} $(id)</h1>\r\n" + "\u017c" * 60_000
    own = client.put("/groups/Group/files/error_404", json={"content": text})
    assert own.status_code == 200, own.text
    assert (own.json()["origin"], own.json()["content"], own.json()["size"]) == ("overridden", text, len(text.encode()))
    assert client.get("/groups/Group/files/error_404").json() == own.json()
    assert client.get("/groups/Group/files").json()["items"][1]["origin"] == "overridden"
    before = rows(filled)
    for content, field in (("a" * (MAX_BYTES + 1), "content"), ("a\u0000b", "content"), (None, "content")):
        refused = client.put("/groups/Group/files/error_404", json={"content": content})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert client.put("/groups/Group/files/error_404", json={"content": "a" * 2_000_000}).status_code == 413
    assert client.put("/groups/Group/files/etc_passwd", json={"content": "x"}).status_code == 404
    assert rows(filled) == before
    assert own.json()["not_applied"] == ["web01", "web02"]
    gone = client.delete("/groups/Group/files/error_404").json()
    assert (gone["origin"], gone["content"], gone["not_applied"]) == ("default", None, []), "no server ever had it"
    pulled = client.post("/groups/Group/files/index/pull", json={"server": "web02"})
    assert (pulled.status_code, pulled.json()["results"][0]["server"]) == (202, "web02")
    assert client.post("/groups/Group/files/index/pull", json={"server": "mx01"}).status_code == 409
    for path in ("files/index/pull", "servers"):
        refused = client.post(f"/groups/Group/{path}", json={"server": "none"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "server")


def test_a_preview_and_a_push(client: TestClient, filled: Fleet) -> None:
    client.patch("/groups/Group/config/mail", json={"WEBMAIL_ALIAS": "post"})
    preview = client.post("/groups/Group/apply", json={"kind": "config", "scope": "mail", "check": True}).json()
    assert (preview["check"], preview["total"], preview["results"][0]["server"]) == (True, 1, "mx01")
    with filled.database.write() as session:
        task = session.get_one(Task, preview["results"][0]["task_id"])
        task.status, task.changed = TaskStatus.SUCCEEDED, True
        task.result = {"diff": {"before": {"WEBMAIL_ALIAS": "webmail"}, "after": {"WEBMAIL_ALIAS": "post"}}}
        session.get_one(Pipeline, preview["id"]).finished_at = utcnow()
    shown = client.get(f"/pipelines/{preview['id']}")
    conforms(shown, "get", "/pipelines/{id}")
    run = shown.json()
    assert (run["state"], run["changed"], run["failed"]) == ("succeeded", 1, 0)
    assert run["results"][0]["differences"] == ["WEBMAIL ALIAS: webmail, should be post"]
    pushed = client.post("/groups/Group/apply", json={"kind": "config", "scope": "mail"}).json()
    assert (pushed["check"], pushed["group_id"], pushed["state"]) == (False, 1, "running")
    again = client.post("/groups/Group/apply", json={"kind": "config", "scope": "mail"})
    assert again.status_code == 409
    assert "applied already" in again.json()["detail"]
    client.post(f"/tasks/{pushed['results'][0]['task_id']}/force-fail")
    assert client.get(f"/pipelines/{pushed['id']}").json()["state"] == "failed"
    looked = client.post("/groups/Group/apply", json={"kind": "status"}).json()
    assert {result["server"] for result in looked["results"]} == {"web01", "web02", "mx01", "ns1", "ns2"}
    nobody = client.post("/groups/Group/apply", json={"kind": "config", "scope": "web"})
    assert nobody.status_code == 409


def test_a_second_push_reaches_those_that_the_first_has_been_at(client: TestClient, filled: Fleet) -> None:
    client.patch("/groups/Group/config/web", json={"PLUGIN_APP_INSTALLER": "false"})
    body = {"kind": "config", "scope": "web"}
    first = client.post("/groups/Group/apply", json=body).json()["results"]
    assert [one["server"] for one in first] == ["web01", "web02"]
    with filled.database.write() as session:
        session.get_one(Task, first[0]["task_id"]).status = TaskStatus.RUNNING
        session.get_one(Server, 2).blocked_since = utcnow()
    second = client.post("/groups/Group/apply", json=body).json()
    assert [one["server"] for one in second["results"]] == ["web01"], "who runs has read the older wish"
    assert second["title"].endswith(f"; web02 with task {first[1]['task_id']}, which waits")
    third = client.post("/groups/Group/apply", json=body)
    assert (third.status_code, "is being applied already" in third.json()["detail"]) == (409, True)
    alone = client.post("/servers/web02/config", json={"scope": "web"})
    assert (alone.status_code, "is being applied already" in alone.json()["detail"]) == (409, True)
    with filled.database.read() as session:
        wishes = select(Resource.generation).where(Resource.action == CONFIG_ACTION)
        assert set(session.scalars(wishes)) == {3}, "what waits takes the newest"
