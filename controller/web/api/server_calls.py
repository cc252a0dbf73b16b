"""Calls on servers: add, look, change, take in and out of use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.domain.problems import Problem
from controller.domain.words import Driver
from controller.operations import server_changes, server_doors, server_look, server_loss, servers
from controller.operations.errors import Invalid, Refused
from controller.operations.fields import Fields
from controller.operations.records import must
from controller.store.models import OperationLog, Server, Task
from controller.store.queries import find_server
from controller.web.api import lists
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Asked, Call, Listed, Once, logged
from controller.web.api.server_answers import (
    ServerAnswer,
    ServerLookAnswer,
    look_answer,
    server_answer,
    server_answers,
)
from controller.web.api.server_bodies import (
    ApiLogin,
    HostKeyBody,
    NewServer,
    ServerChange,
    ServerLookBody,
    SshLogin,
    StatusBody,
)
from controller.web.api.task_answers import TaskAnswer, task_answer


def find(session: Session, key: str) -> Server:
    """A server by id or name. Raises NotFound."""
    return must(find_server(session, key), "server", key)


def named(asked: Asked, field: str, key: str) -> Server:
    """A server that a field of the body names. Raises Invalid."""
    with asked.fleet.database.read() as session:
        server = find_server(session, key)
    if server is None:
        raise Invalid([Problem(field, f"there is no server {key}")])
    return server


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.servers(session, asked.query)
        return Listed(page, [*server_answers(session, page.items)])


def _get(asked: Asked) -> ServerAnswer:
    with asked.fleet.database.read() as session:
        return server_answer(session, find(session, asked.key))


def _doors(driver: str, ssh: SshLogin | None, api: ApiLogin | None) -> tuple[SshLogin, ApiLogin]:
    """Both doors, one of them empty. Raises Invalid for one that such a server does not have."""
    if driver == Driver.POWERDNS and ssh is not None:
        raise Invalid([Problem("ssh", "a PowerDNS server has an api instead")])
    if driver == Driver.HESTIACP and api is not None:
        raise Invalid([Problem("api", "only a PowerDNS server has one")])
    return ssh or SshLogin(), api or ApiLogin()


def _look(asked: Asked) -> ServerLookAnswer:
    body: ServerLookBody = asked.body
    fields = Fields()
    fields.choice("driver", body.driver, tuple(Driver))
    fields.finish()
    ssh, api = _doors(body.driver, body.ssh, body.api)
    if body.driver == Driver.POWERDNS:
        return look_answer(
            server_look.look_powerdns(asked.fleet, api_url=api.url, api_key=api.key or "", api_server_id=api.server_id)
        )
    return look_answer(
        server_look.look(
            asked.fleet,
            address=body.address,
            port=body.port,
            ssh_user=ssh.user,
            ssh_password=ssh.password,
            ssh_private_key=ssh.private_key,
            ssh_become=ssh.become,
        )
    )


def _add(asked: Asked) -> None:
    body: NewServer = asked.body
    ssh, api = _doors(body.driver, body.ssh, body.api)
    servers.add(
        asked.fleet,
        asked.actor,
        name=body.name,
        address=body.address,
        port=body.port,
        driver=body.driver,
        capabilities=body.capabilities,
        group=body.group,
        ssh_user=ssh.user,
        ssh_password=ssh.password,
        ssh_private_key=ssh.private_key,
        ssh_become=ssh.become,
        host_key_fingerprint=body.host_key_fingerprint,
        capacity=body.capacity,
        hostname=body.hostname,
        api_url=api.url,
        api_key=api.key,
        api_server_id=api.server_id,
        dns_address=body.dns.address,
        dns_port=body.dns.port,
        command_timeout=body.command_timeout,
    )


def _added(session: Session, server: Server, _added: Sequence[Any]) -> ServerAnswer:
    return server_answer(session, server)


def _changed(session: Session, line: OperationLog) -> ServerAnswer:
    return server_answer(session, session.get_one(Server, line.server_id))


def _edit(asked: Asked) -> ServerAnswer:
    body: ServerChange = asked.body
    changes = body.model_dump(exclude_unset=True)
    for door in ("dns", "api"):
        changes |= {f"{door}_{name}": value for name, value in changes.pop(door, {}).items()}
    with asked.fleet.database.read() as session:
        server = find(session, asked.key)
        if server.driver is not Driver.POWERDNS and body.api.model_fields_set:
            raise Invalid([Problem("api", "only a PowerDNS server has one")])
    return _answer(asked, server_changes.edit(asked.fleet, asked.actor, server.id, **changes).id)


def _delete(asked: Asked) -> ServerAnswer:
    gone = _get(asked)
    server_changes.delete_server(asked.fleet, asked.actor, gone.id)
    return gone


def _lost(asked: Asked) -> ServerAnswer:
    return _answer(asked, server_loss.give_up(asked.fleet, asked.actor, asked.key).id)


def _status(asked: Asked) -> ServerAnswer:
    body: StatusBody = asked.body
    return _answer(asked, server_changes.set_status(asked.fleet, asked.actor, asked.key, body.status).id)


def _check(asked: Asked) -> TaskAnswer:
    task = servers.check(asked.fleet, asked.actor, asked.key)
    with asked.fleet.database.read() as session:
        return task_answer(session, session.get_one(type(task), task.id))


def _check_begun(session: Session, task: Task, _added: Sequence[Any]) -> TaskAnswer:
    return task_answer(session, task)


def _accept_host_key(asked: Asked) -> ServerAnswer:
    body: HostKeyBody = asked.body
    _with_ssh(asked)
    return _answer(asked, server_doors.accept_host_key(asked.fleet, asked.actor, asked.key, body.fingerprint).id)


def _change_login(asked: Asked) -> ServerAnswer:
    body: SshLogin = asked.body
    _with_ssh(asked)
    server = server_doors.change_login(
        asked.fleet,
        asked.actor,
        asked.key,
        ssh_user=body.user,
        ssh_password=body.password,
        ssh_private_key=body.private_key,
        ssh_become=body.become,
    )
    return _answer(asked, server.id)


def _with_ssh(asked: Asked) -> None:
    with asked.fleet.database.read() as session:
        server = find(session, asked.key)
    if server.driver is Driver.POWERDNS:
        raise Refused(f"{server.name} has no SSH: its API is changed with PATCH")


def _answer(asked: Asked, server_id: int) -> ServerAnswer:
    with asked.fleet.database.read() as session:
        return server_answer(session, session.get_one(Server, server_id))


CALLS = (
    Call(
        "GET",
        "/servers",
        "List servers",
        _list,
        answer=ServerAnswer,
        query=lists.ServerParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call(
        "POST",
        "/servers",
        "Add a server",
        _add,
        answer=ServerAnswer,
        status=201,
        body=NewServer,
        once=Once(Server, _added),
    ),
    Call(
        "POST",
        "/servers/look",
        "Look at a server before it is added; nothing is stored",
        _look,
        answer=ServerLookAnswer,
        body=ServerLookBody,
    ),
    Call("GET", "/servers/{id}", "Show a server", _get, answer=ServerAnswer),
    Call(
        "PATCH",
        "/servers/{id}",
        "Change a server; what is left out stays",
        _edit,
        answer=ServerAnswer,
        body=ServerChange,
        problems=("conflict", "refused"),
    ),
    Call(
        "DELETE",
        "/servers/{id}",
        "Remove a server that nothing lives on",
        _delete,
        answer=ServerAnswer,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/lost",
        "Give up a server that is out of use for good: what was to be removed from it counts as gone",
        _lost,
        answer=ServerAnswer,
        body=Nothing,
        once=Once(),
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/status",
        "Take a server in or out of use",
        _status,
        answer=ServerAnswer,
        body=StatusBody,
        once=logged("server.status", _changed),
    ),
    Call(
        "POST",
        "/servers/{id}/check",
        "Look what a server is, has and runs",
        _check,
        answer=TaskAnswer,
        status=202,
        body=Nothing,
        once=Once(Task, _check_begun),
    ),
    Call(
        "POST",
        "/servers/{id}/host-key",
        "Accept the SSH host key that a server shows now",
        _accept_host_key,
        answer=ServerAnswer,
        status=202,
        body=HostKeyBody,
        once=logged("server.host-key", _changed),
        problems=("refused",),
    ),
    Call(
        "POST",
        "/servers/{id}/login",
        "Change the SSH login of a server; without password and key the stored one is kept",
        _change_login,
        answer=ServerAnswer,
        status=202,
        body=SshLogin,
        once=logged("server.login", _changed),
        problems=("refused",),
    ),
)
