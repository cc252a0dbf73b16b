"""``server``, ``group``, ``zone``, ``zone-template``, ``usage`` and ``pipeline`` on a real installation."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.words import TaskStatus
from controller.engine.arrivals import status_arrived, usage_arrived
from controller.engine.fleet import Fleet
from controller.operations import orders
from controller.store.base import utcnow
from controller.store.models import Pipeline, Server, Task
from tests.integration.api.api_world import deployed, fill
from tests.integration.cli.test_cli import (
    Command,
    cli,
    filled,
    filled_template,
    fleet,
    sandbox,
    template,
    wait_for,
)

__all__ = ["cli", "filled", "filled_template", "fleet", "sandbox", "template"]

SECRET = "a-key-that-nobody-sees"


@pytest.fixture
def stocked(cli: Command, fleet: Fleet) -> Iterator[Command]:
    """Five servers, a group, and a service that is there."""
    fill(fleet)
    customer = {"customer_email": "ada@example.com", "customer_name": "Ada"}
    orders.order(fleet, "test", product="Hosting", domain="example.com", **customer)
    deployed(fleet)
    with fleet.database.write() as session:
        server = session.get_one(Server, 1)
        views = {"config": {"LANGUAGE": "en"}, "services": [{"name": "nginx", "state": "running"}]}
        status_arrived(
            session, server, {"hostname": "web01.fleet.test", "ips": ["192.0.2.1"], "cpu": 5.0, "views": views}
        )
        usage_arrived(session, server, [{"name": "example-com-web", "package": "default", "disk": 12}])
    yield cli


def over(fleet: Fleet, number: int, status: TaskStatus) -> None:
    """End a pipeline, as a worker would."""
    with fleet.database.write() as session:
        pipeline = session.get_one(Pipeline, number)
        pipeline.finished_at = utcnow()
        for task in pipeline.tasks:
            task.status, task.changed = status, status is TaskStatus.SUCCEEDED
            task.error = None if task.changed else "nobody answers"
            task.result = {"diff": {"before": {"LANGUAGE": "en"}, "after": {"LANGUAGE": "de"}}} if task.changed else {}


def test_a_powerdns_server(stocked: Command, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n")
    add = ("server", "add", "ns3", "--driver", "powerdns", "--address", "192.0.2.53", "--capability", "dns")
    door = ("--hostname", "ns3.fleet.test", "--api-url", "http://192.0.2.53:8081", "--dns-port", "5353")
    assert "terminal" in stocked.run(*add, *door, code=2).stderr
    assert "api.url" in stocked.run(*add, "--hostname", "ns3.fleet.test", "--api-key-file", str(key), code=2).stderr
    added = stocked.run(*add, *door, "--group", "Group", "--api-key-file", "-", stdin=SECRET)
    assert added.stdout == "Server ns3 added\n"
    shown = stocked.run("server", "show", "ns3").stdout
    assert "http://192.0.2.53:8081 server localhost" in shown
    assert "192.0.2.53 port 5353" in shown
    assert SECRET not in stocked.run("server", "show", "ns3", "--json").stdout + shown
    edited = stocked.json("server", "edit", "ns3", "--api-url", "http://192.0.2.54:8081", "--api-key-file", str(key))
    assert edited["api"]["url"] == "http://192.0.2.54:8081"
    assert "PowerDNS" in stocked.run("server", "edit", "web01", "--api-url", "http://192.0.2.54", code=2).stderr
    assert "no SSH" in stocked.run("server", "host-key", "ns3", code=2).stderr


def test_a_server_is_changed(stocked: Command) -> None:
    changed = stocked.json("server", "edit", "web01", "--closed-for", "web", "--capacity", "9", "--group", "")
    assert (changed["closed_roles"], changed["capacity"], changed["group"]) == (["web"], 9, None)
    assert stocked.json("server", "edit", "web01", "--closed-for", "none")["closed_roles"] == []
    assert stocked.run("server", "edit", "web01", "--name", "web1").stdout == "Server web1 changed\n"
    assert "nothing to change" in stocked.run("server", "edit", "web1", code=2).stderr
    assert "port" in stocked.run("server", "edit", "web1", "--port", "0", code=2).stderr
    words = stocked.run("server", "status", "web1", "maintenance").stdout
    assert words == "Server web1 is in maintenance: its tasks wait\n"
    assert "status" in stocked.run("server", "status", "web1", "happy", code=2).stderr
    assert "web1 still hosts" in stocked.run("server", "delete", "web1", code=1).stderr
    assert stocked.run("server", "delete", "web02").stdout == "Server web02 removed\n"
    login = ("server", "login", "web1", "--user", "fleet", "--password-stdin")
    assert stocked.json(*login, stdin=SECRET)["ssh"] == {"user": "fleet", "become": True, "method": "password"}


def test_what_is_on_a_server(stocked: Command, fleet: Fleet) -> None:
    stocked.run("group", "config", "set", "Group", "LANGUAGE=de")
    assert stocked.run("server", "config", "web01").stdout.splitlines()[1].split() == [
        "LANGUAGE",
        "all",
        "de",
        "en",
        "differs",
    ]
    assert stocked.json("server", "config", "web01")["differ"] == 1
    assert "nginx" in stocked.run("server", "view", "web01", "services").stdout
    assert "example.com" in stocked.run("server", "view", "web01", "users").stdout
    assert "KIND" in stocked.run("server", "view", "web01", "secrets", code=2).stderr
    assert len(stocked.json("server", "history", "web01")["points"]) == 1
    assert len(stocked.run("server", "history", "web01", "--hours", "2").stdout.splitlines()) == 2
    started = stocked.run("server", "restart", "web01", "nginx").stdout
    assert started.endswith("started: Restart nginx on web01\n")
    run = stocked.json("server", "apply", "web01", "--check")
    assert (run["check"], run["results"][0]["action"]) == (True, "server.config")
    assert "web01  server.config all" in stocked.run("pipeline", "show", str(run["id"])).stdout
    over(fleet, run["id"], TaskStatus.SUCCEEDED)
    seen = stocked.run("pipeline", "show", str(run["id"]), "--wait").stdout.splitlines()
    assert seen == [
        "web01  server.config all: would change",
        "web01    LANGUAGE: en, should be de",
        "1 done, 1 would change, 0 failed",
    ]
    for command in ("refresh", "recount"):
        assert stocked.json("server", command, "web01")["total"] == 1
    assert stocked.json("server", "rebuild", "web01", "web", "--user", "a,b")["reason"] == "maintenance"
    assert "what" in stocked.run("server", "rebuild", "web01", "everything", code=2).stderr
    assert "there is no pipeline 999" in stocked.run("pipeline", "show", "999", code=1).stderr


def test_a_pipeline_that_fails_is_exit_code_1(stocked: Command, fleet: Fleet) -> None:
    run = stocked.json("server", "restart", "web01", "nginx")
    over(fleet, run["id"], TaskStatus.FAILED)
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", "pipeline", "show", str(run["id"]), "--wait"],
        env=stocked.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "server.restart nginx: failed: nobody answers" in done.stdout
    assert done.stderr == ""


def test_a_group(stocked: Command, tmp_path: Path) -> None:
    assert "nameservers    ns1, ns2" in stocked.run("group", "show", "Group").stdout
    assert stocked.json("group", "edit", "Group", "--zone-ttl", "600")["zone_ttl"] == 600
    assert "zone_ttl" in stocked.run("group", "edit", "Group", "--zone-ttl", "1", code=2).stderr
    saved = stocked.json("group", "variables", "Group", "ns2=ns2.fleet.test", "ns1=")
    assert (saved["variables"], saved["changed"]) == ({"ns2": "ns2.fleet.test"}, ["ns1", "ns2"])
    said = stocked.run("group", "variables", "Group", "ns2=ns2.other.test").stdout.splitlines()
    assert said[0] == "ns2  ns2.other.test"
    assert said[-1] == "hestia-fleet group redeploy Group --variable ns2"
    assert stocked.json("group", "redeploy", "Group", "--variable", "ns2")["total"] == saved["zones"] > 0
    assert stocked.run("group", "variables", "Group").stdout == "ns2  ns2.other.test\n"
    assert stocked.run("group", "dns", "Group", "ns1").stdout == "ns1\n"
    assert "leave at least one" in stocked.run("group", "dns", "Group", "--none", code=1).stderr
    assert stocked.run("group", "remove-server", "Group", "web02").stdout == "Group Group has web02 no more\n"
    assert stocked.run("group", "add-server", "Group", "web02").stdout == "Group Group has web02 now\n"
    assert "products point at Group" in stocked.run("group", "delete", "Group", code=1).stderr
    stocked.run("zone-template", "create", "Plain")
    edited = stocked.json("product", "edit", "Hosting", "--zone-template", "Plain", "--withdrawn")
    assert (edited["zone_template"]["name"], edited["active"]) == ("Plain", False)
    assert stocked.json("product", "edit", "Hosting", "--zone-template", "")["zone_template"] is None
    assert "zone_template" in stocked.run("product", "edit", "Hosting", "--zone-template", "None", code=2).stderr
    stocked.run("group", "create", "Other")
    assert stocked.run("group", "delete", "Other").stdout == "Group Other removed\n"

    assert "LANGUAGE" in stocked.run("group", "config", "keys", "--tier", "all").stdout
    stocked.run("group", "config", "set", "Group", "LANGUAGE=de", "THEME=dark")
    assert stocked.json("group", "config", "set", "Group", "THEME=")["all"] == {"LANGUAGE": "de"}
    assert stocked.run("group", "config", "get", "Group").stdout.splitlines()[1].split() == ["all", "LANGUAGE", "de"]
    for wrong in (("LANGUAGE=klingon",), ("NOTHING=1",), ("LANGUAGE",), ("LANGUAGE=de", "WEBMAIL_ALIAS=m")):
        stocked.run("group", "config", "set", "Group", *wrong, code=2)

    page = tmp_path / "404.html"
    page.write_text("<h1>Not here</h1>\n")
    assert stocked.json("group", "files", "set", "Group", "error_404", str(page))["origin"] == "overridden"
    assert stocked.run("group", "files", "show", "Group", "error_404").stdout == "<h1>Not here</h1>\n"
    assert "overridden" in stocked.run("group", "files", "list", "Group").stdout
    stocked.run("group", "files", "reset", "Group", "error_404")
    assert stocked.run("group", "files", "show", "Group", "error_404").stdout == ""
    stocked.run("group", "files", "set", "Group", "passwd", str(page), code=2)
    assert stocked.json("group", "files", "pull", "Group", "index", "web01")["reason"] == "files"
    assert "started: Standard files" in stocked.run("group", "apply", "Group", "--kind", "files").stdout
    assert "kind" in stocked.run("group", "apply", "Group", "--kind", "everything", code=2).stderr


def test_zones(stocked: Command, tmp_path: Path) -> None:
    assert "example.com" in stocked.run("zone", "list", "--state", "unasked").stdout
    assert stocked.json("zone", "list", "--state", "differs") == []
    assert "--state" in stocked.run("zone", "list", "--state", "happy", code=2).stderr
    added = stocked.run("zone", "records", "add", "example.com", "shop", "a", "192.0.2.80", "--ttl", "300").stdout
    assert added == "Record 1 added: shop A 192.0.2.80\n"
    assert "value" in stocked.run("zone", "records", "add", "example.com", "x", "A", "nonsense", code=2).stderr
    edited = stocked.json("zone", "records", "edit", "example.com", "1", "--value", "192.0.2.81", "--ttl", "0")
    assert (edited["value"], edited["ttl"]) == ("192.0.2.81", None)
    assert "192.0.2.81" in stocked.run("zone", "records", "list", "example.com").stdout
    shown = stocked.run("zone", "show", "example.com").stdout
    assert "192.0.2.81" in shown
    assert "waiting" in shown
    exported = stocked.run("zone", "export", "example.com").stdout
    assert "shop\t3600\tIN\tA\t192.0.2.81" in exported
    zone = tmp_path / "zone"
    zone.write_text("new A 192.0.2.90\n@ NS ns.other.test.\n")
    preview = stocked.run("zone", "import", "example.com", str(zone), "--preview").stdout
    assert "1 records would be taken over" in preview
    assert "left out: line 2" in preview
    assert len(stocked.json("zone", "records", "list", "example.com")) == 1
    assert "line 1" in stocked.run("zone", "import", "example.com", "-", stdin="x A y\n", code=2).stderr
    stocked.run("zone", "import", "example.com", str(zone), "--replace")
    (record,) = stocked.json("zone", "records", "list", "example.com")
    assert (record["name"], record["origin"]) == ("new", "import")
    delete = ("zone", "records", "delete", "example.com", str(record["id"]))
    assert f"has record {record['id']} no more" in stocked.run(*delete).stdout
    assert f"there is no record {record['id']}" in stocked.run(*delete, code=1).stderr
    assert stocked.run("zone", "check", "1").stdout == "Zone example.com is asked for\n"
    assert stocked.run("zone", "redeploy", "example.com").stdout == "Zone example.com is written again\n"


def test_zone_templates(stocked: Command, tmp_path: Path) -> None:
    lines = tmp_path / "lines.json"
    lines.write_text(json.dumps([{"name": "@", "type": "NS", "value": "{ns1}."}]))
    built_in = stocked.json("zone-template", "show", "built-in")
    assert stocked.json("zone-template", "create", "Copy")["records"] == built_in["records"]
    assert stocked.json("zone-template", "edit", "Copy", "--records-file", str(lines))["lines"] == 1
    again = stocked.run("zone-template", "edit", "Copy", "--records-file", "-", stdin=json.dumps(built_in))
    assert again.stdout == "Zone template Copy changed\n"
    for text in ("{", "5", '[{"name": "@", "type": "A", "value": "nonsense"}]'):
        stocked.run("zone-template", "create", "Bad", "--records-file", "-", stdin=text, code=2)
    assert [one["name"] for one in stocked.json("zone-template", "list")] == ["Built-in", "Copy"]
    assert stocked.json("zone", "template", "example.com", "Copy")["template"] == "Copy"
    assert "chosen by 1 zone" in stocked.run("zone-template", "delete", "Copy", code=1).stderr
    assert stocked.run("zone-template", "redeploy", "Copy").stdout == "1 zones are written again, a few at a time\n"
    stocked.run("zone", "template", "example.com")
    assert stocked.run("zone-template", "default", "Copy").stdout == "Zone template Copy is the default\n"
    stocked.run("zone-template", "default", "built-in")
    assert stocked.run("zone-template", "delete", "Copy").stdout == "Zone template Copy removed\n"
    assert "{server_ip}" in stocked.run("zone-template", "placeholders").stdout


def test_usage(stocked: Command) -> None:
    assert "12/5000" in stocked.run("usage", "list").stdout
    assert stocked.json("usage", "list", "--nearly-full") == []
    assert "--sort" in stocked.run("usage", "list", "--sort", "price", code=2).stderr
    assert stocked.json("usage", "show", "example.com")["figures"]["web_disk"]["used"] == 12
    assert stocked.run("usage", "refresh").stdout.endswith("started: Usage of 5 servers\n")
    assert stocked.run("usage", "refresh", "example.com").stdout.endswith("started: Usage of example.com\n")
    assert "there is no service none" in stocked.run("usage", "refresh", "none", code=1).stderr


def test_a_preview_and_a_push_by_the_command_alone(filled: Command, fleet: Fleet) -> None:
    """A worker, a real server: what would change, the change, and nothing left to change."""
    filled.run("group", "config", "set", "Group", "LANGUAGE=de")
    apply = ("group", "apply", "Group", "--scope", "all")
    worker = filled.start("worker", "--workers", "2")
    try:
        wait_for(worker, "is ready")
        preview = filled.run(*apply, "--check").stdout.splitlines()
        assert preview[0] == "one  server.config all: would change"
        assert preview[1].startswith("one    LANGUAGE: en, should be de")
        assert filled.run(*apply, "--wait").stdout.splitlines()[-1] == "1 done, 1 changed, 0 failed"
        assert filled.run(*apply, "--check").stdout.splitlines()[-1] == "1 done, 0 would change, 0 failed"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        worker.kill()
        worker.wait()
    with fleet.database.read() as session:
        assert session.query(Task).filter(Task.status == TaskStatus.FAILED).count() == 0
