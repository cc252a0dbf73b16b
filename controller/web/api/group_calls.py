"""Calls on server groups: what they are, their variables, servers and nameservers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.operations import group_zones, groups
from controller.operations.records import must
from controller.store.models import OperationLog, ServerGroup
from controller.store.queries import find_group
from controller.web.api import lists
from controller.web.api.calls import Asked, Call, Listed, Once, logged
from controller.web.api.group_answers import (
    GroupAnswer,
    GroupChange,
    GroupZonesBody,
    MemberBody,
    NameserversBody,
    NewGroup,
    VariablesAnswer,
    VariablesBody,
    group_answer,
)
from controller.web.api.server_calls import named
from controller.web.api.zone_runs import STARTS, ZoneRunAnswer, zone_run_answer


def find(session: Session, key: str) -> ServerGroup:
    """A group by id or name. Raises NotFound."""
    return must(find_group(session, key), "group", key)


def _list(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.groups(session, asked.query)
        return Listed(page, [group_answer(session, group) for group in page.items])


def _get(asked: Asked) -> GroupAnswer:
    with asked.fleet.database.read() as session:
        return group_answer(session, find(session, asked.key))


def _create(asked: Asked) -> None:
    body: NewGroup = asked.body
    groups.create(asked.fleet, asked.actor, name=body.name, description=body.description, variables=body.variables)


def _created(session: Session, group: ServerGroup, _added: Sequence[Any]) -> GroupAnswer:
    return group_answer(session, group)


def _changed(session: Session, line: OperationLog) -> GroupAnswer:
    return group_answer(session, session.get_one(ServerGroup, line.detail["group_id"]))


def _edit(asked: Asked) -> GroupAnswer:
    body: GroupChange = asked.body
    with asked.fleet.database.read() as session:
        group = find(session, asked.key)
    changes = {
        "name": group.name,
        "description": group.description,
        "zone_template": group.zone_template_id,
        "zone_ttl": group.zone_ttl,
    } | body.model_dump(exclude_unset=True)
    return _answer(asked, groups.edit(asked.fleet, asked.actor, group.id, **changes))


def _delete(asked: Asked) -> GroupAnswer:
    gone = _get(asked)
    groups.delete_group(asked.fleet, asked.actor, gone.id)
    return gone


def _variables(asked: Asked) -> VariablesAnswer:
    body: VariablesBody = asked.body
    saved = groups.set_variables(asked.fleet, asked.actor, asked.key, body.variables)
    return VariablesAnswer(**dict(_answer(asked, saved.group)), changed=saved.changed, zones=saved.zones)


def _redeploy(asked: Asked) -> ZoneRunAnswer:
    body: GroupZonesBody = asked.body
    return zone_run_answer(group_zones.redeploy(asked.fleet, asked.actor, asked.key, body.variables))


def _nameservers(asked: Asked) -> GroupAnswer:
    body: NameserversBody = asked.body
    return _answer(asked, groups.attach_dns(asked.fleet, asked.actor, asked.key, body.dns_servers))


def _add_server(asked: Asked) -> GroupAnswer:
    body: MemberBody = asked.body
    with asked.fleet.database.read() as session:
        group = find(session, asked.key)
    server = named(asked, "server", body.server)
    return _answer(asked, groups.add_server(asked.fleet, asked.actor, group.id, server.id))


def _remove_server(asked: Asked) -> GroupAnswer:
    return _answer(asked, groups.remove_server(asked.fleet, asked.actor, asked.key, asked.path["server"]))


def _answer(asked: Asked, group: ServerGroup) -> GroupAnswer:
    with asked.fleet.database.read() as session:
        return group_answer(session, session.get_one(ServerGroup, group.id))


CALLS = (
    Call("GET", "/groups", "List server groups", _list, answer=GroupAnswer, query=lists.NamedParameters, listed=True),
    Call(
        "POST",
        "/groups",
        "Create a server group",
        _create,
        answer=GroupAnswer,
        status=201,
        body=NewGroup,
        once=Once(ServerGroup, _created),
    ),
    Call("GET", "/groups/{id}", "Show a server group", _get, answer=GroupAnswer),
    Call(
        "PATCH",
        "/groups/{id}",
        "Change a server group; what is left out stays",
        _edit,
        answer=GroupAnswer,
        body=GroupChange,
        problems=("conflict",),
    ),
    Call(
        "DELETE",
        "/groups/{id}",
        "Remove a group that no server and no product belongs to",
        _delete,
        answer=GroupAnswer,
        problems=("refused",),
    ),
    Call(
        "PUT",
        "/groups/{id}/variables",
        "Set the variables of a group",
        _variables,
        answer=VariablesAnswer,
        body=VariablesBody,
    ),
    Call(
        "POST",
        "/groups/{id}/zones/redeploy",
        "Bring the zones of a group up to its variables, template and TTL, all of them or those that a variable is in",
        _redeploy,
        answer=ZoneRunAnswer,
        status=202,
        body=GroupZonesBody,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "PUT",
        "/groups/{id}/dns-servers",
        "Set the nameservers of a group: its zones go to new ones and leave those left out",
        _nameservers,
        answer=GroupAnswer,
        body=NameserversBody,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/groups/{id}/servers",
        "Take a web or mail server into a group",
        _add_server,
        answer=GroupAnswer,
        body=MemberBody,
        once=logged("group.server", _changed),
        problems=("refused",),
    ),
    Call(
        "DELETE",
        "/groups/{id}/servers/{server}",
        "Take a server out of a group; what lives on it goes on",
        _remove_server,
        answer=GroupAnswer,
        problems=("refused",),
    ),
)
