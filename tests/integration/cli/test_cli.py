"""The real command in a process of its own, on a real installation."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import httpx2
import pytest

from controller.cli import main
from controller.engine.fleet import Fleet
from controller.sandbox.fleet import SandboxFleet, free_port
from controller.sandbox.server import SandboxServer
from controller.settings import Settings
from controller.store.models import Service, Task

PASSWORD = "a long passphrase 1"


class Command:
    """``hestia-fleet`` with its data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HESTIA_FLEET_")},
            "HESTIA_FLEET_HOME": str(home),
            "PYTHONUNBUFFERED": "1",
        }

    def process(self, *arguments: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the real command to its end; the exit code must be this one, and an error one line."""
        done = subprocess.run(
            [sys.executable, "-m", "controller.cli", *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return self.checked(done, code)

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """The same by the command's own main in this process, which saves a second each time."""
        before, out, err = dict(os.environ), io.StringIO(), io.StringIO()
        os.environ.clear()
        os.environ.update(self.environment)
        typed = sys.stdin
        sys.stdin = io.StringIO(stdin)
        try:
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main(arguments)
        finally:
            sys.stdin = typed
            os.environ.clear()
            os.environ.update(before)
        ended_with = ended.value.code
        assert isinstance(ended_with, int)
        return self.checked(subprocess.CompletedProcess(arguments, ended_with, out.getvalue(), err.getvalue()), code)

    @staticmethod
    def checked(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        if code:
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert done.stderr.startswith("hestia-fleet: ")
        return done

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self.run(*arguments, "--json", stdin=stdin).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "controller.cli", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template") / "home"
    Command(home).run("init")
    return home


@pytest.fixture
def cli(template: Path, tmp_path: Path) -> Command:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    return Command(home)


@pytest.fixture
def fleet(cli: Command) -> Iterator[Fleet]:
    fleet = Fleet.open(Settings(home=cli.home))
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    servers = SandboxFleet(tmp_path_factory.mktemp("sandbox"))
    server = servers.add("one", {"web", "mail", "dns"}, ip="192.0.2.9", hostname="one.fleet.test")
    server.start()
    yield server
    servers.stop()


@pytest.fixture(scope="module")
def filled_template(template: Path, sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One server that does everything, and a product on it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    shutil.copytree(template, home)
    cli = Command(home)
    key = home / "login key"
    key.write_text(sandbox.private_key)
    cli.run("group", "create", "Group", "--variable", "ns1=ns1.fleet.test", "--variable", "ns2=ns2.fleet.test")
    cli.run(
        *("server", "add", "one", "--address", sandbox.address, "--port", str(sandbox.port)),
        *("--capability", "web,mail", "--capability", "dns", "--group", "Group"),
        *("--user", sandbox.user, "--no-become", "--private-key-file", str(key)),
    )
    cli.run("product", "create", "Hosting", "--group", "Group", "--limit", "mail_accounts=7")
    return home


@pytest.fixture
def filled(filled_template: Path, cli: Command) -> Command:
    shutil.rmtree(cli.home)
    shutil.copytree(filled_template, cli.home)
    return cli


def test_init_makes_key_database_and_owner(tmp_path: Path) -> None:
    cli = Command(tmp_path / "new" / "home")
    made = cli.process("init", "--owner-email", "owner@example.com", "--password-stdin", stdin=PASSWORD + "\n")
    assert "owner@example.com" in made.stdout
    assert PASSWORD not in made.stdout
    assert (cli.home / "secret.key").stat().st_mode & 0o777 == 0o600
    key = (cli.home / "secret.key").read_text()
    cli.process("init")
    assert (cli.home / "secret.key").read_text() == key
    assert [user["role"] for user in cli.json("user", "list")] == ["owner"]
    cli.process("init", "--owner-email", "owner@example.com", "--password-stdin", stdin=PASSWORD, code=1)


def test_init_does_nothing_without_a_password(tmp_path: Path) -> None:
    cli = Command(tmp_path / "home")
    refused = cli.run("init", "--owner-email", "owner@example.com", code=2)
    assert "--password-stdin" in refused.stderr
    assert not cli.home.exists()


def test_a_password_is_asked_for_at_a_terminal(cli: Command) -> None:
    child, terminal = pty.fork()
    if child == 0:
        arguments = ["-m", "controller.cli", "user", "create", "ada@example.com", "--name", "Ada"]
        os.execve(sys.executable, [sys.executable, *arguments], cli.environment)
    seen = b""
    deadline = time.monotonic() + 60
    answered = 0
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 1000)
            except OSError:
                break
        if answered < seen.count(b": "):
            answered += 1
            os.write(terminal, f"{PASSWORD}\n".encode())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, seen
    assert PASSWORD.encode() not in seen
    assert cli.json("user", "list")[0]["email"] == "ada@example.com"


@pytest.mark.parametrize("arguments", [("user", "list"), ("serve",), ("worker",), ("inventory",)])
def test_before_init(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = Command(tmp_path / "nothing").run(*arguments, code=1)
    assert "hestia-fleet init" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "nonsense"),
        (("user", "create"), "email"),
        (("token", "create", "x"), "--scope"),
        (("token", "create", "x", "--scope", "god"), "scope"),
        (("token", "create", "123", "--scope", "read"), "name"),
        (("serve", "--port", "99999"), "--port"),
        (("task", "show", "abc"), "TASK"),
        (("task", "list", "--status", "nice"), "--status"),
        (("service", "list", "--status", "nice"), "--status"),
        (("customer", "create", "nobody", "--name", "N"), "email"),
        (("order", "no domain", "--product", "P", "--email", "a@b.example", "--name", "A"), "domain"),
        (("product", "create", "P", "--group", "None", "--limit", "x"), "--limit"),
        (("product", "create", "P", "--group", "None"), "group"),
        (("server", "add", "x", "--address", "192.0.2.1", "--capability", "web"), "--password-stdin"),
        (
            ("server", "add", "x", "--address", "a", "--capability", "web", "--private-key-file", "/no/such/file"),
            "/no/such/file",
        ),
    ],
)
def test_bad_input_is_exit_code_2(cli: Command, arguments: tuple[str, ...], words: str) -> None:
    assert words in cli.run(*arguments, code=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("service", "show", "none.example"),
        ("service", "suspend", "none.example"),
        ("task", "show", "1"),
        ("task", "log", "1"),
        ("server", "show", "none"),
        ("server", "check", "none"),
        ("zone", "show", "none.example"),
        ("token", "revoke", "none"),
    ],
)
def test_what_is_not_there_is_exit_code_1(cli: Command, arguments: tuple[str, ...]) -> None:
    assert "there is no" in cli.run(*arguments, code=1).stderr


def test_a_bug_is_one_line_too(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(Fleet, "open", broken)
    assert "unexpected ZeroDivisionError" in cli.run("server", "list", code=1).stderr


def test_an_error_of_the_real_command(cli: Command) -> None:
    assert "there is no service" in cli.process("service", "show", "none.example", code=1).stderr
    assert "No such command" in cli.process("nonsense", code=2).stderr
    assert cli.process("customer", "create", "nobody", "--name", "N", code=2).stdout == ""


def test_settings_that_make_no_sense(cli: Command) -> None:
    cli.environment["HESTIA_FLEET_WORKERS"] = "many"
    assert "HESTIA_FLEET_WORKERS" in cli.run("settings", "show", code=2).stderr
    cli.environment["HESTIA_FLEET_WORKERS"] = "2"
    cli.environment["HESTIA_FLEET_DATABASE_URL"] = "postgresql://fleet:hunter2secret@127.0.0.1:1/fleet"
    shown = cli.json("settings", "show")
    assert shown["environment"]["workers"] == 2
    assert "hunter2secret" not in json.dumps(shown)


def test_people_and_tokens(cli: Command, fleet: Fleet) -> None:
    customer = cli.json("customer", "create", "Ada@example.com", "--name", "Ada Example")
    assert customer["email"] == "ada@example.com"
    user = cli.json(
        *("user", "create", "ada@example.com", "--name", "Ada", "--role", "customer"),
        *("--customer", "ada@example.com", "--password-stdin"),
        stdin=PASSWORD,
    )
    assert user["role"] == "customer"
    from controller.operations import people, tokens

    assert people.authenticate(fleet, "ada@example.com", PASSWORD)
    cli.run("user", "passwd", "ada@example.com", "--password-stdin", stdin=PASSWORD + " new\n")
    assert not people.authenticate(fleet, "ada@example.com", PASSWORD)
    assert people.authenticate(fleet, "ada@example.com", PASSWORD + " new")
    assert "password" in cli.run("user", "passwd", "ada@example.com", "--password-stdin", stdin="short", code=2).stderr

    plain = cli.run("token", "create", "billing", "--scope", "admin").stdout.strip()
    found = tokens.verify(fleet, plain)
    assert found is not None
    assert found.name == "billing"
    made = cli.json("token", "create", "reports", "--scope", "read")
    assert made.keys() == {"id", "name", "scope", "token"}
    listed = cli.run("token", "list", "--json").stdout
    assert plain not in listed
    assert made["token"] not in listed
    cli.run("token", "create", "billing", "--scope", "read", code=1)
    cli.run("token", "revoke", "billing")
    assert tokens.verify(fleet, plain) is None
    assert [bool(token["revoked_at"]) for token in cli.json("token", "list")] == [True, False]


def test_the_fleet_as_the_command_shows_it(filled: Command, sandbox: SandboxServer) -> None:
    server = filled.json("server", "show", "one")
    scanned = filled.json("server", "scan", sandbox.address, "--port", str(sandbox.port))
    assert server["host_key"]["fingerprint"] == scanned["fingerprint"]
    assert (
        filled.run("server", "scan", sandbox.address, "--port", str(sandbox.port)).stdout.strip().startswith("SHA256:")
    )
    assert filled.json("server", "list") == [server]
    assert "PRIVATE KEY" not in json.dumps(server)
    for arguments in (("server", "list"), ("server", "show", "one"), ("group", "list"), ("product", "list")):
        assert filled.run(*arguments).stdout
    assert filled.json("product", "list")[0]["limits"] == {"mail_accounts": 7}
    assert filled.json("server", "check", "one")["action"] == "server.status"
    assert len(filled.json("task", "list", "--server", "one")) == 1, "the check that waits is the one asked for"

    inventory = json.loads(filled.run("inventory").stdout)
    host = inventory["all"]["hosts"]["one"]
    assert host["ansible_host"] == sandbox.address
    assert host["ansible_port"] == sandbox.port
    assert set(inventory["all"]["children"]) == {
        "capability_web",
        "capability_mail",
        "capability_dns",
        "driver_hestiacp",
        "status_active",
        "group_group",
    }
    assert "PRIVATE KEY" not in json.dumps(inventory)


def test_ansible_reads_the_inventory(filled: Command, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.json"
    hosts.write_text(filled.run("inventory").stdout)
    ansible = Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run(
        [ansible, "-i", hosts, "--list"], capture_output=True, text=True, check=True, cwd=tmp_path, env=os.environ
    )
    assert json.loads(done.stdout)["capability_web"]["hosts"] == ["one"]


def test_an_order_and_its_life(filled: Command, fleet: Fleet) -> None:
    order = ("order", "Example.com", "--product", "Hosting", "--email", "ada@example.com")
    assert "customer.name" in filled.run(*order, code=2).stderr
    service = filled.json(*order, "--name", "Ada", "--option", "web_disk_quota=2000", "--reference", "R-1")
    assert service["status"] == "pending"
    assert service["limits"]["web_disk_quota"] == 2000
    assert service["limits"]["mail_accounts"] == 7
    assert "already has a live service" in filled.run(*order, code=1).stderr
    assert filled.json("service", "show", "example.com") == service
    assert "example.com" in filled.run("service", "show", str(service["id"])).stdout
    assert [one["id"] for one in filled.json("service", "list", "--status", "pending")] == [service["id"]]
    tasks = filled.json("service", "tasks", "example.com")
    assert len(tasks) == service["progress"]["total"]
    assert "web.domain" in filled.run("service", "tasks", "example.com").stdout
    zone = filled.json("zone", "show", "example.com")
    assert {record["type"] for record in zone["records"]} >= {"NS", "CAA"}
    assert "ns1.fleet.test" in filled.run("zone", "show", "example.com").stdout
    assert [one["domain"] for one in filled.json("zone", "list")] == ["example.com"]

    task = str(tasks[0]["id"])
    assert filled.json("task", "cancel", task)["status"] == "cancelled"
    assert "cancelled" in filled.run("task", "cancel", task, code=1).stderr
    assert filled.run("task", "show", task).stdout
    assert filled.run("task", "log", task).stdout == ""
    for action in ("suspend", "unsuspend", "redeploy", "verify", "repair", "terminate"):
        assert filled.json("service", action, "example.com")["pipeline"]["reason"] == action
    assert "terminating" in filled.run("service", "suspend", "example.com", code=1).stderr


def test_follow_ends_with_the_service(filled: Command, fleet: Fleet) -> None:
    filled.run("order", "example.com", "--product", "Hosting", "--email", "ada@example.com", "--name", "Ada")
    follower = filled.start("service", "follow", "example.com", "--json")
    assert follower.stdout is not None
    first = json.loads(follower.stdout.readline())
    assert first["kind"] == "pipeline.order"
    from controller.domain.words import ServiceStatus
    from controller.operations.records import note

    def end(status: ServiceStatus) -> None:
        with fleet.database.write() as session:
            session.get_one(Service, 1).status = status
            session.get_one(Service, 1).error = "It broke." if status is ServiceStatus.ERROR else None
            note(session, f"service.{status.value}", "Here it ends", service_id=1)

    end(ServiceStatus.ACTIVE)
    lines = [json.loads(line) for line in follower.stdout]
    assert follower.wait(60) == 0
    assert lines[-2]["message"] == "Here it ends"
    assert lines[-1]["status"] == "active"
    end(ServiceStatus.ERROR)
    failed = subprocess.run(
        [sys.executable, "-m", "controller.cli", "service", "follow", "example.com"],
        env=filled.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert failed.returncode == 1
    assert failed.stdout.splitlines()[-1] == "It broke."
    assert failed.stderr == ""


def wait_for(process: subprocess.Popen[str], pattern: str) -> str:
    """Read stdout and stderr until a line fits."""
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + 60
    seen = ""
    while time.monotonic() < deadline:
        for stream in select.select([process.stdout, process.stderr], [], [], 0.2)[0]:
            line = stream.readline()
            seen += line
            if found := re.search(pattern, line):
                return found[0]
        if process.poll() is not None:
            break
    raise AssertionError(seen)


def test_serve_answers_and_stops_gracefully(cli: Command) -> None:
    plain = cli.run("token", "create", "t", "--scope", "read").stdout.strip()
    port = free_port()
    process = cli.start("serve", "--port", str(port))
    try:
        address = wait_for(process, r"http://127\.0\.0\.1:\d+")
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = httpx2.get(f"{address}/api/v1/services", headers={"Authorization": f"Bearer {plain}"})
                break
            except httpx2.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert answer.json()["items"] == []
        taken = cli.run("serve", "--port", str(port), code=1)
        assert f"port {port}" in taken.stderr
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "GET /api" not in log
    finally:
        process.kill()
        process.wait()


def test_serve_stops_although_a_page_follows(filled: Command) -> None:
    filled.run("order", "example.com", "--product", "Hosting", "--email", "ada@example.com", "--name", "Ada")
    plain = filled.run("token", "create", "t", "--scope", "read").stdout.strip()
    process = filled.start("serve", "--port", str(free_port()))
    try:
        address = wait_for(process, r"http://127\.0\.0\.1:\d+")
        headers = {"Authorization": f"Bearer {plain}"}
        with httpx2.stream("GET", f"{address}/api/v1/services/1/stream", headers=headers, timeout=60) as answer:
            lines = answer.iter_lines()
            while not next(lines).startswith("data:"):
                pass
            process.send_signal(signal.SIGINT)
            for _ in lines:
                pass
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_the_worker_does_what_was_ordered(filled: Command, fleet: Fleet) -> None:
    """Order, worker, follow: the whole line by the command alone."""
    worker = filled.start("worker", "--workers", "2")
    try:
        wait_for(worker, "is ready")
        done = filled.process(
            *("order", "example.com", "--product", "Hosting", "--email", "ada@example.com", "--name", "Ada"),
            "--follow",
        )
        assert "The service is live" in done.stdout
        tasks = filled.json("service", "tasks", "example.com")
        assert {task["status"] for task in tasks} == {"succeeded"}
        log = filled.run("task", "log", str(tasks[0]["id"])).stdout
        assert "Attempt 1" in log
        events = [
            json.loads(line) for line in filled.run("task", "log", str(tasks[0]["id"]), "--json").stdout.splitlines()
        ]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        ended = filled.run("service", "terminate", "example.com", "--follow")
        assert "Everything is removed" in ended.stdout
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        with fleet.database.read() as session:
            assert session.query(Task).filter_by(status="running").count() == 0
    finally:
        worker.kill()
        worker.wait()


def test_help_names_every_command(cli: Command) -> None:
    text = cli.process("--help").stdout
    names = """
        init serve worker user token server group product customer order service task zone ticket webhook settings job
        log inventory
    """
    for name in names.split():
        assert re.search(rf"^  {name} ", text, re.M), name
    assert cli.process("--version").stdout.startswith("hestia-fleet ")
