"""Who is reloaded after whom: members of a tier are never reloaded in the same moment."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.words import Driver
from controller.store.models import GroupDnsServer, Server, ServerGroup

Members = tuple[str, int]
"""A group's own servers, or its nameservers; the group's id."""


def lanes(session: Session, servers: Iterable[Server]) -> dict[int, str]:
    """The lane (``Task.lane``) of each server by its id; a server of no group has none.

    Tiers with a server in common share a lane, directly or by others between them: no two nameservers of a group are
    reloaded together, whichever group asks for it, while web servers of groups that only have nameservers in common
    need not wait for each other.
    """
    of_server: dict[int, set[Members]] = {}
    own = select(Server.id, ServerGroup.id).join(ServerGroup, ServerGroup.id == Server.group_id)
    attached = select(GroupDnsServer.server_id, GroupDnsServer.group_id).join(Server)
    for kind, query in (("group", own), ("nameservers", attached)):
        for server_id, group_id in session.execute(query.where(Server.driver == Driver.HESTIACP)):
            of_server.setdefault(server_id, set()).add((kind, group_id))
    together: dict[Members, set[Members]] = {}
    for tiers in of_server.values():
        joined = set(tiers).union(*(together.get(tier, ()) for tier in tiers))
        together.update(dict.fromkeys(joined, joined))
    names = {server_id: "{}:{}".format(*min(together[min(tiers)])) for server_id, tiers in of_server.items()}
    return {server.id: names[server.id] for server in servers if server.id in names}
