"""The OpenAPI document is sound, describes every route, and answers keep to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_world import an_order, deployed
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.testclient import TestClient

from controller.domain.options import BY_NAME
from controller.engine.fleet import Fleet
from controller.web.api.problems import KINDS
from controller.web.api.routes import CALLS, openapi, routes

DOCUMENT = openapi()
OPERATIONS = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
REGISTRY: Registry[Any] = Registry().with_resource("api", Resource(contents=DOCUMENT, specification=DRAFT202012))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def test_it_is_served(anyone: TestClient) -> None:
    answer = anyone.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


def test_it_has_what_openapi_wants() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert DOCUMENT["servers"] == [{"url": "/api/v1"}]
    assert DOCUMENT["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    assert DOCUMENT["security"] == [{"bearer": []}]
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    for path, method, operation in OPERATIONS:
        assert path.startswith("/")
        assert method in ("get", "post", "patch", "put", "delete")
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        names = [(parameter["name"], parameter["in"]) for parameter in operation["parameters"]]
        assert len(names) == len(set(names))
        in_path = {name for name, where in names if where == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query", "header")
            assert parameter["required"] is (parameter["in"] == "path")
        assert any(status.startswith("2") for status in operation["responses"])
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", status)
            assert "$ref" in response or response["description"]
        if method == "get":
            assert "requestBody" not in operation


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert resolved(reference)


def test_every_schema_is_a_schema() -> None:
    schemas = [*DOCUMENT["components"]["schemas"].values()]
    for _, _, operation in OPERATIONS:
        schemas += [parameter["schema"] for parameter in operation["parameters"]]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)
    for parameter in (p for _, _, operation in OPERATIONS for p in operation["parameters"]):
        assert "null" not in str(parameter["schema"])


def test_every_route_is_in_it_and_the_other_way_round() -> None:
    served = {(route.path, method) for route in routes for method in route.endpoint.calls}
    described = {(path, method.upper()) for path, method, _ in OPERATIONS}
    assert served == described
    assert len(CALLS) == len(described)
    # The last one is for every address that is none.
    assert routes[-1].path == "/{rest:path}"


def test_the_table_of_the_design_is_in_it() -> None:
    calls = """
        POST /servers, POST /servers/{id}/check, POST /groups, POST /products, POST /customers, POST /services,
        GET /services/{id}, GET /services/{id}/tasks, GET /tasks/{id}, GET /tasks/{id}/events,
        GET /services/{id}/stream, POST /services/{id}/suspend, POST /services/{id}/unsuspend,
        POST /services/{id}/terminate, POST /services/{id}/redeploy, POST /services/{id}/verify,
        POST /services/{id}/repair, POST /services/{id}/change-product
    """
    described = {f"{method.upper()} {path}" for path, method, _ in OPERATIONS}
    assert {call.strip() for call in calls.split(",")} <= described


def test_problem_types_lead_to_their_explanation(client: TestClient) -> None:
    assert set(DOCUMENT["x-problems"]) == set(DOCUMENT["components"]["responses"]) == set(KINDS)
    problem = client.get("/services/none.example").json()
    path, pointer = problem["type"].split("#")
    assert path == "/api/v1/openapi.json"
    explained = resolved("#" + pointer)
    assert (explained["status"], explained["title"]) == (problem["status"], problem["title"])


def conforms(answer: Any, method: str, path: str) -> None:
    """The answer is one that the document promises for this call."""
    response = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = resolved(response["$ref"])
    content = response["content"][answer.headers["content-type"].partition(";")[0]]
    schema = {"$id": "api", **DOCUMENT, **content["schema"]}
    told = answer.text if answer.headers["content-type"].startswith("text/") else answer.json()
    Draft202012Validator(schema, registry=REGISTRY).validate(told)


SAMPLES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("post", "/groups", {"name": "G2"}),
    ("post", "/groups", {"name": ""}),
    ("post", "/groups", {"name": "G2"}),
    ("post", "/products", {"name": "P2", "mode": "split", "roles": ["web"], "group": 1, "limits": {"web_aliases": 3}}),
    ("post", "/customers", {"email": "b@example.com", "name": "B"}),
    ("post", "/services", an_order("conforming.example")),
    ("post", "/services", an_order("conforming.example")),
    ("post", "/services", an_order("nonsense")),
    ("get", "/services/{id}", None),
    ("get", "/services", None),
    ("get", "/services/{id}/tasks", None),
    ("get", "/tasks", None),
    ("get", "/tasks/{id}", None),
    ("get", "/tasks/{id}/events", None),
    ("get", "/tasks/{id}/log", None),
    ("post", "/tasks/{id}/priority", {"priority": 10}),
    ("post", "/tasks/{id}/priority", {"priority": 10}),
    ("post", "/tasks/{id}/force-fail", None),
    ("post", "/tasks/{id}/retry", None),
    ("post", "/tasks/{id}/cancel", None),
    ("post", "/tasks/{id}/cancel", None),
    ("post", "/tasks/bulk", {"action": "retry", "tasks": [1, 999]}),
    ("post", "/tasks/bulk", {"action": "explode"}),
    ("get", "/servers", None),
    ("get", "/servers/{id}", None),
    ("post", "/servers/{id}/check", None),
    ("post", "/servers/{id}/host-key", {"fingerprint": "SHA256:another"}),
    ("post", "/servers/{id}/login", {"user": "root", "password": "a new one"}),
    ("post", "/servers", {"name": "x"}),
    ("post", "/servers/look", {"address": "127.0.0.1", "port": 1, "ssh": {"password": "x"}}),
    ("patch", "/servers/{id}", {"capacity": 5, "closed_roles": ["web"], "dns": {"port": 5353}}),
    ("patch", "/servers/{id}", {"port": 0}),
    ("patch", "/servers/{id}", {"name": "web02"}),
    ("delete", "/servers/{id}", None),
    ("post", "/servers/{id}/status", {"status": "closed"}),
    ("post", "/servers/{id}/lost", None),
    ("get", "/servers/{id}/config", None),
    ("post", "/servers/{id}/config", {"check": True}),
    ("get", "/servers/{id}/packages", None),
    ("get", "/servers/{id}/addresses", None),
    ("get", "/servers/{id}/services", None),
    ("get", "/servers/{id}/users", None),
    ("get", "/servers/{id}/history", None),
    ("post", "/servers/{id}/refresh", None),
    ("post", "/servers/{id}/recount", None),
    ("post", "/servers/{id}/restart", {"service": "nginx"}),
    ("post", "/servers/{id}/rebuild", {"what": "web", "users": ["example"]}),
    ("get", "/groups", None),
    ("get", "/groups/{id}", None),
    ("patch", "/groups/{id}", {"zone_ttl": 600}),
    ("patch", "/groups/{id}", {"zone_ttl": 1}),
    ("delete", "/groups/{id}", None),
    ("put", "/groups/{id}/variables", {"variables": {"ns1": "ns1.fleet.test"}}),
    ("post", "/groups/{id}/zones/redeploy", {"variables": ["ns1"]}),
    ("put", "/groups/{id}/dns-servers", {"dns_servers": ["ns1", "ns2"]}),
    ("post", "/groups/{id}/servers", {"server": "web02"}),
    ("post", "/groups/{id}/servers", {"server": "ns1"}),
    ("delete", "/groups/{id}/servers/{server}", None),
    ("get", "/config-keys", None),
    ("get", "/groups/{id}/config", None),
    ("patch", "/groups/{id}/config/{tier}", {"LANGUAGE": "de", "THEME": None}),
    ("patch", "/groups/{id}/config/{tier}", {"LANGUAGE": "klingon"}),
    ("get", "/groups/{id}/files", None),
    ("put", "/groups/{id}/files/{name}", {"content": "<h1>Welcome</h1>"}),
    ("get", "/groups/{id}/files/{name}", None),
    ("delete", "/groups/{id}/files/{name}", None),
    ("post", "/groups/{id}/files/{name}/pull", {"server": "web02"}),
    ("post", "/groups/{id}/apply", {"kind": "config", "check": True}),
    ("post", "/groups/{id}/apply", {"kind": "files"}),
    ("get", "/pipelines/{id}", None),
    ("get", "/pipelines/{id}/tasks", None),
    ("get", "/products", None),
    ("get", "/products/{id}", None),
    ("patch", "/products/{id}", {"description": "for shops"}),
    ("get", "/customers", None),
    ("get", "/customers/{id}", None),
    ("get", "/zones", None),
    ("get", "/zones/{id}", None),
    ("post", "/zones/{id}/records", {"name": "shop", "type": "A", "value": "192.0.2.80"}),
    ("get", "/zones/{id}/records", None),
    ("get", "/zones/{id}/records/{record}", None),
    ("patch", "/zones/{id}/records/{record}", {"value": "192.0.2.81"}),
    ("patch", "/zones/{id}/records/{record}", {"value": "nonsense"}),
    ("delete", "/zones/{id}/records/{record}", None),
    ("put", "/zones/{id}/template", {"zone_template": None}),
    ("post", "/zones/{id}/redeploy", None),
    ("post", "/zones/redeploy", {"zones": [1]}),
    ("post", "/zones/redeploy", {"zones": ["none.example"]}),
    ("get", "/zone-runs", None),
    ("get", "/zone-runs/{id}", None),
    ("post", "/zones/{id}/check", None),
    ("post", "/zones/{id}/import", {"text": "shop IN A 192.0.2.80", "preview": True}),
    ("get", "/zones/{id}/export", None),
    ("post", "/zone-templates", {"name": "Copy"}),
    ("post", "/zone-templates", {"name": "Bad", "records": [{"name": "@", "type": "A", "value": "nonsense"}]}),
    ("get", "/zone-templates", None),
    ("get", "/zone-templates/{id}", None),
    ("patch", "/zone-templates/{id}", {"description": "mine"}),
    ("post", "/zone-templates/{id}/default", None),
    ("post", "/zone-templates/{id}/redeploy", None),
    ("delete", "/zone-templates/{id}", None),
    ("get", "/zone-placeholders", None),
    ("get", "/usage", None),
    ("post", "/usage/refresh", None),
    ("get", "/services/{id}/usage", None),
    ("post", "/services/{id}/usage/refresh", None),
    ("get", "/settings", None),
    *(("get", f"/settings/{section}", None) for section in BY_NAME),
    *(("patch", f"/settings/{section}", {"nonsense": 1}) for section in BY_NAME),
    *(("patch", f"/settings/{section}", {}) for section in BY_NAME),
    *(("post", f"/settings/{section}/reset", None) for section in BY_NAME),
    ("post", "/settings/mail/test", {"to": "ada@example.com"}),
    ("get", "/jobs", None),
    ("post", "/jobs/{id}/run", None),
    ("get", "/operation-log", None),
    ("post", "/services/{id}/suspend", None),
    ("post", "/services/{id}/unsuspend", None),
    ("post", "/services/{id}/redeploy", None),
    ("post", "/services/{id}/verify", None),
    ("get", "/services/{id}/verification", None),
    ("post", "/services/{id}/repair", None),
    ("post", "/drift-checks", None),
    ("get", "/drift-checks", None),
    ("get", "/drift-checks/{id}", None),
    ("post", "/drift-checks/{id}/cancel", None),
    ("post", "/drift-checks/{id}/repair", None),
    ("post", "/services/{id}/change-product", {"product": "Hosting"}),
    ("post", "/services/{id}/terminate", None),
    ("post", "/services/{id}/suspend", None),
    ("get", "/tickets", None),
    ("get", "/tickets/{id}", None),
    ("post", "/tickets/{id}/notes", {"text": "looking"}),
    ("post", "/tickets/{id}/notes", {"text": ""}),
    ("get", "/tickets/{id}/notes", None),
    ("post", "/tickets/{id}/assign", {"assignee": None}),
    ("post", "/tickets/{id}/close", {}),
    ("post", "/tickets/{id}/close", {}),
    ("post", "/tickets/{id}/reopen", None),
    ("post", "/webhooks", {"name": "pager", "url": "https://pager.test/in"}),
    ("post", "/webhooks", {"name": "pager", "url": "https://pager.test/in"}),
    ("get", "/webhooks", None),
    ("get", "/webhooks/{id}", None),
    ("patch", "/webhooks/{id}", {"events": ["ticket.closed"]}),
    ("post", "/webhooks/{id}/test", None),
    ("get", "/webhooks/{id}/deliveries", None),
    ("delete", "/webhooks/{id}", None),
]


OTHERS = {"server": "web02", "tier": "all", "name": "index", "record": "1"}


def test_answers_keep_to_it(client: TestClient, filled: Fleet) -> None:
    seen = set()
    for method, path, body in SAMPLES:
        if path == "/zones":
            deployed(filled)
        address = path.format_map(OTHERS | {"id": "{id}"})
        answer = client.request(method, address.replace("{id}", "1"), json=body)
        conforms(answer, method, path)
        seen.add((path, method))
        missing = client.request(method, address.replace("{id}", "999"), json=body)
        if "{id}" in path:
            assert missing.status_code == 404, (method, path, missing.text)
            conforms(missing, method, path)
    streams = {(path, "get") for path, _, _ in OPERATIONS if path.endswith("/stream")}
    assert seen | streams | {("/openapi.json", "get")} == {(path, method) for path, method, _ in OPERATIONS}


GUIDE = Path(__file__).parents[3] / "docs" / "api.md"


def guide_commands() -> list[tuple[str, str, str | None]]:
    """Every curl example of the guide as (method, path, JSON body)."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S):
        for command in re.split(r"(?m)^(?=curl )", block):
            if not command.startswith("curl "):
                continue
            address = re.search(r"\$API(/[^\s'\"?]*)", command)
            method = re.search(r"-X (\w+)", command)
            body = re.search(r"--json '(.*?)'", command, re.S)
            assert address, command
            found.append((method[1] if method else "POST" if body else "GET", address[1], body[1] if body else None))
    return found


@pytest.mark.parametrize(("method", "path", "body"), guide_commands())
def test_the_guide_calls_what_is_there(method: str, path: str, body: str | None) -> None:
    matching = [
        call for call in CALLS if call.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.path), path)
    ]
    assert matching, f"{method} {path}"
    if body is not None:
        assert matching[0].body is not None
        matching[0].body.model_validate_json(body)


def test_the_guide_names_every_call() -> None:
    text = GUIDE.read_text()
    for call in CALLS:
        assert f"| `{call.method} {call.path}` | {call.summary} |" in text, call.path
