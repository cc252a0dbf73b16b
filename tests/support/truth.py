"""What must be true of a whole installation when nothing is left to do. Each check returns problems in words.

The servers are compared line by line: what the database says, brought into lines, and what is found on the server,
brought into the same lines. Nothing may be missing, nothing may be there that nobody asked for.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controller.automation.variables import role_variables
from controller.domain.naming import www_alias
from controller.domain.words import Desired, ServiceStatus, TaskStatus
from controller.engine.fleet import Fleet
from controller.engine.journal import is_routine
from controller.sandbox.server import SandboxServer
from controller.store.models import Account, Activity, Resource, Server, ServerLock, Service, Task, TaskEvent
from controller.store.vault import Vault

LAST_WISH = {
    Desired.ACTIVE: ServiceStatus.ACTIVE,
    Desired.SUSPENDED: ServiceStatus.SUSPENDED,
    Desired.ABSENT: ServiceStatus.TERMINATED,
}
UNFINISHED = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.HELD)
OWN_PACKAGES = {"default", "system"}
OWN_USERS = {"root", "Debian-exim", "bind", "www-data", "admin"}
COUNTERS = (
    "U_WEB_DOMAINS",
    "U_WEB_SSL",
    "U_WEB_ALIASES",
    "U_MAIL_DOMAINS",
    "U_MAIL_DKIM",
    "U_DNS_DOMAINS",
    "U_DNS_RECORDS",
    "SUSPENDED_WEB",
    "SUSPENDED_MAIL",
    "SUSPENDED_DNS",
)


def everything(fleet: Fleet, servers: Iterable[SandboxServer]) -> list[str]:
    """All checks."""
    found = [*services(fleet), *tasks(fleet), *logs(fleet)]
    for server in servers:
        found += on_server(fleet, server)
        found += served(fleet, server)
        found += left_on_server(server)
    return found


# -- our own tables --------------------------------------------------------------------------------------------


def services(fleet: Fleet) -> list[str]:
    """Every service is what was wished last, and so is everything it consists of."""
    with fleet.database.read() as session:
        found = [
            f"service {service.domain}: {service.status.value}, wanted {LAST_WISH[service.desired].value}"
            for service in session.scalars(select(Service))
            if service.status is not LAST_WISH[service.desired]
        ]
        behind = select(Resource).where(Resource.applied_generation != Resource.generation)
        found += [f"{each.action} {each.name}: not as wished last" for each in session.scalars(behind)]
        gone = select(Resource).where(Resource.desired == Desired.ABSENT)
        found += [f"{each.action} {each.name}: its row is still there" for each in session.scalars(gone)]
    return found


def tasks(fleet: Fleet) -> list[str]:
    """No task is open, no lock is held, and no task has succeeded twice."""
    with fleet.database.read() as session:
        found = [
            f"task {task.id} {task.action} {task.target} is {task.status.value}: {task.error}"
            for task in session.scalars(select(Task).where(Task.status.in_(UNFINISHED)))
        ]
        locks = session.scalars(select(ServerLock))
        found += [f"server {lock.server_id} is locked by task {lock.task_id}" for lock in locks]
        counted = select(Activity.task_id, func.count()).where(Activity.kind == "task.succeeded")
        said = {task_id: times for task_id, times in session.execute(counted.group_by(Activity.task_id))}  # noqa: C416
        # A task stands for one generation: it reads it when it is claimed, and ends with its success.
        found += [f"task {task_id} has succeeded {times} times" for task_id, times in said.items() if times > 1]
        # What the engine looks at by itself all the time tells of its failures only.
        done = session.scalars(select(Task).where(Task.status == TaskStatus.SUCCEEDED))
        found += [
            f"nothing tells of the success of task {task.id} {task.action}"
            for task in done
            if task.id not in said and not is_routine(task)
        ]
    return found


def logs(fleet: Fleet) -> list[str]:
    """The lines of every task are numbered 1, 2, 3..., and as many as were written."""
    found = []
    with fleet.database.read() as session:
        numbers: dict[int, list[int]] = {}
        rows = select(TaskEvent.task_id, TaskEvent.seq).order_by(TaskEvent.task_id, TaskEvent.seq)
        for task_id, seq in session.execute(rows):
            numbers.setdefault(task_id, []).append(seq)
        for task in session.scalars(select(Task)):
            stored = numbers.get(task.id, [])
            if stored != list(range(1, len(stored) + 1)):
                found.append(f"task {task.id} {task.action}: the log has a gap: {stored}")
            ended = task.status in (TaskStatus.SUCCEEDED, TaskStatus.FAILED)
            if ended and task.events_expected is not None and task.events_expected != len(stored):
                found.append(f"task {task.id} {task.action}: {len(stored)} lines of {task.events_expected}")
    return found


# -- the servers -----------------------------------------------------------------------------------------------


def on_server(fleet: Fleet, server: SandboxServer) -> list[str]:
    """What is on a server and what the database says, compared."""
    with fleet.database.read() as session:
        row = session.scalars(select(Server).where(Server.name == server.name)).one()
        wanted = Counter(_wanted(session, row, server))
    there = Counter(_found(server.state()))
    return [
        *(f"{server.name}: missing: {line}" for line in sorted((wanted - there).elements())),
        *(f"{server.name}: too much: {line}" for line in sorted((there - wanted).elements())),
    ]


def _wanted(session: Session, row: Server, server: SandboxServer) -> Iterator[str]:
    """The lines that the database asks for."""
    resources = session.scalars(select(Resource).where(Resource.server_id == row.id)).all()
    accounts = session.scalars(select(Account).where(Account.server_id == row.id)).all()
    suspended = 0
    web_users: list[str] = []
    yield "jail sftp_dummy99"
    for account in accounts:
        user = account.username
        mine = [each for each in resources if each.account_id == account.id]
        (holder,) = (each for each in mine if each.action.endswith(".account"))
        off = holder.desired is Desired.SUSPENDED
        suspended += off
        yield from (f"package {each.name}" for each in mine if each.action.endswith(".package"))
        yield f"user {user}{' suspended' if off else ''}"
        yield from (f"system account {user}", f"home {user}", f"jail {user}")
        counters: Counter[str] = Counter()
        for each in mine:
            yield from _wanted_thing(user, each, mine, counters)
        web_users += [user] * counters["U_WEB_DOMAINS"]
        yield from (f"counter {user} {name} {counters[name]}" for name in COUNTERS)
    yield f"counter admin U_USERS {len(accounts) + 1}"
    yield f"counter admin SUSPENDED_USERS {suspended}"
    yield f"address {server.ip} domains {len(web_users)} users {','.join(sorted(set(web_users)))}"


def _wanted_thing(user: str, each: Resource, mine: list[Resource], counters: Counter[str]) -> Iterator[str]:
    domain, off = each.name, int(each.desired is Desired.SUSPENDED)
    state = "suspended" if off else "active"
    match each.action:
        case "web.domain":
            tls = any(other.action == "web.certificate" for other in mine)
            aliases = www_alias(domain)
            counters.update(U_WEB_DOMAINS=1, U_WEB_SSL=int(tls), U_WEB_ALIASES=len(aliases), SUSPENDED_WEB=off)
            yield f"web domain {user} {domain} {state} tls {'yes' if tls else 'no'} aliases {','.join(aliases)}"
            yield from (f"web folder {user} {domain}", f"web conf {user} {domain}", f"pool {domain}")
            yield f"vhost {domain}.conf"
            if tls:
                yield f"vhost {domain}.ssl.conf"
        case "mail.domain":
            counters.update(U_MAIL_DOMAINS=1, U_MAIL_DKIM=1, SUSPENDED_MAIL=off)
            yield f"mail domain {user} {domain} {state} dkim yes"
            yield from (f"mail accounts {user} {domain}", f"dkim key {user} {domain}", f"mail conf {user} {domain}")
            if not off:
                yield f"vhost webmail.{domain}.conf"
        case "dns.zone":
            counters.update(U_DNS_DOMAINS=1, U_DNS_RECORDS=int(each.facts.get("records", 0)), SUSPENDED_DNS=off)
            yield f"zone {user} {domain} {state}"
            yield from (f"zone records {user} {domain}", f"zone file {user} {domain}.db")
            if not off:
                yield f"named.conf line {domain}"


def _found(state: dict[str, Any]) -> Iterator[str]:
    """The lines that a server's files make."""
    yield from (f"package {name}" for name in state["packages"] if name not in OWN_PACKAGES)
    yield from (f"system account {name}" for name in state["passwd"] if name not in OWN_USERS)
    yield from (f"home {name}" for name in state["homes"] if name != "admin")
    yield from (f"jail {name}" for name in state["jail"])
    yield from (f"pool {name}" for name in state["pools"])
    yield from (f"vhost {name}" for name in state["vhosts"])
    for domain, times in state["zones"].items():
        yield from [f"named.conf line {domain}"] * times
    for ip, conf in state["ips"].items():
        users = ",".join(sorted(filter(None, conf["U_SYS_USERS"].split(","))))
        yield f"address {ip} domains {conf['U_WEB_DOMAINS']} users {users}"
    for user, things in state["users"].items():
        conf = things["conf"] or {}
        if user == "admin":
            yield from (f"counter admin {name} {conf.get(name)}" for name in ("U_USERS", "SUSPENDED_USERS"))
            continue
        yield f"user {user}{' suspended' if conf.get('SUSPENDED') == 'yes' else ''}"
        yield from (f"counter {user} {name} {conf.get(name)}" for name in COUNTERS)
        yield from _found_things(user, things)


def _found_things(user: str, things: dict[str, Any]) -> Iterator[str]:
    def state(record: dict[str, str]) -> str:
        return "suspended" if record["SUSPENDED"] == "yes" else "active"

    for domain, web in things["web"].items():
        yield f"web domain {user} {domain} {state(web)} tls {web['SSL']} aliases {web['ALIAS']}"
    for domain, mail in things["mail"].items():
        yield f"mail domain {user} {domain} {state(mail)} dkim {mail['DKIM']}"
    for domain, zone in things["dns"].items():
        yield f"zone {user} {domain} {state(zone)}"
    yield from (f"web folder {user} {name}" for name in things["web_folders"])
    yield from (f"web conf {user} {name}" for name in things["web_conf"])
    yield from (f"mail accounts {user} {name}" for name in things["mail_accounts"])
    yield from (f"mail conf {user} {name}" for name in things["mail_conf"])
    yield from (f"dkim key {user} {name}" for name in things["dkim"])
    yield from (f"zone records {user} {name}" for name in things["dns_records"])
    yield from (f"zone file {user} {name}" for name in things["zone_files"])


# -- what nameservers answer -----------------------------------------------------------------------------------


def served(fleet: Fleet, server: SandboxServer) -> list[str]:
    """A nameserver answers every record of every zone that it should have, and refuses the zones that are gone."""
    if server.dns_port is None:
        return []
    found = []
    with fleet.database.read() as session:
        row = session.scalars(select(Server).where(Server.name == server.name)).one()
        zones = session.scalars(select(Resource).where(Resource.server_id == row.id, Resource.action == "dns.zone"))
        here = {zone.name: _answers_wanted(session, fleet.vault, zone) for zone in zones.all()}
        gone = select(Service.domain).where(Service.status == ServiceStatus.TERMINATED)
        dead = set(session.scalars(gone)) - set(here)
    for domain, wanted in here.items():
        for (name, kind), values in wanted.items():
            answer = _ask(server, domain if name == "@" else f"{name}.{domain}", kind)
            if answer != sorted(values):
                found.append(f"{server.name} answers {name} {kind} of {domain} with {answer}, not {sorted(values)}")
    found += [f"{server.name} still serves {domain}" for domain in sorted(dead) if _ask(server, domain, "SOA")]
    return found


def _answers_wanted(session: Session, vault: Vault, zone: Resource) -> dict[tuple[str, str], list[str]]:
    wanted: dict[tuple[str, str], list[str]] = {}
    for record in role_variables(session, vault, zone).values["hestia_dns_records"]:
        value = str(record["value"])
        if "priority" in record:
            value = f"{record['priority']} {value}"
        wanted.setdefault((record["name"], record["type"]), []).append(value.replace('"', ""))
    return wanted


def _ask(server: SandboxServer, name: str, kind: str) -> list[str] | str:
    """Values of an answer; "no answer" when none comes, [] when the server does not serve the zone."""
    query = dns.message.make_query(name, kind)
    query.flags = 0
    assert server.dns_port is not None
    try:
        answer, _ = dns.query.udp_with_fallback(query, server.address, port=server.dns_port, timeout=5)
    except (dns.exception.DNSException, OSError) as problem:
        return f"no answer ({problem})"
    if answer.rcode() is not dns.rcode.NOERROR:
        return []
    values = [_plain(rdata) for rrset in answer.answer for rdata in rrset]
    return sorted(values)


def _plain(rdata: Any) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode()
    return str(rdata).replace('"', "")


# -- what may be left behind -----------------------------------------------------------------------------------


def left_on_server(server: SandboxServer) -> list[str]:
    """No command runs on it, nobody holds its lock or has left a note in it, no secret lies about."""
    found = [f"{server.name}: still running: {command}" for command in _commands(server)]
    lock = server.root / "run/lock/hestia-fleet.lock"
    if lock.exists():
        with lock.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(f"{server.name}: somebody holds its lock")
            if note := file.read():
                found.append(f"{server.name}: its lock says {note!r}")
    mark = hashlib.sha256(str(server.hestia).encode()).hexdigest()[:8]
    found += [f"{server.name}: left behind: {path}" for path in Path("/tmp").glob(f"hestia-fleet-{mark}-*")]
    return found


def _commands(server: SandboxServer) -> Iterator[str]:
    mark = f"{server.hestia}/bin/v-"
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in command:
            yield command
