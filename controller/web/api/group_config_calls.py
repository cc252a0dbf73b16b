"""Calls on what a group wants of its servers: panel settings, standard files, and bringing them there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from controller.domain.config_keys import KEYS, Tier
from controller.domain.standard_files import MAX_BYTES, STANDARD_FILES
from controller.operations import group_config, group_runs, standard_files
from controller.operations.errors import NotFound
from controller.store.models import ServerGroup
from controller.web.api import lists
from controller.web.api.calls import Asked, Call
from controller.web.api.group_answers import (
    ApplyBody,
    ConfigChange,
    ConfigKeysAnswer,
    FileAnswer,
    FileBody,
    FilesAnswer,
    GroupConfigAnswer,
    PullBody,
    config_answer,
    config_key_answer,
    file_answer,
    file_summaries,
)
from controller.web.api.group_calls import find
from controller.web.api.pipeline_answers import RunAnswer
from controller.web.api.pipeline_calls import STARTS, started
from controller.web.api.server_calls import named

ESCAPED = 6
"""A character of JSON may be written as six."""


class KeyParameters(lists.Parameters):
    """Which settings."""

    tier: Tier | None = None


def _keys(asked: Asked) -> ConfigKeysAnswer:
    given: KeyParameters = asked.query
    wanted = [entry for entry in KEYS.values() if given.tier in (None, entry.tier)]
    return ConfigKeysAnswer(items=[config_key_answer(entry) for entry in wanted])


def _config(asked: Asked) -> GroupConfigAnswer:
    with asked.fleet.database.read() as session:
        return config_answer(find(session, asked.key))


def _change_config(asked: Asked) -> GroupConfigAnswer:
    body: ConfigChange = asked.body
    tier = asked.path["tier"]
    with asked.fleet.database.read() as session:
        group_id = find(session, asked.key).id
    if tier not in set(Tier):
        raise NotFound("tier", tier)
    values = {key: text or "" for key, text in body.root.items()}
    return config_answer(group_config.set_config(asked.fleet, asked.actor, group_id, tier, values))


def _files(asked: Asked) -> FilesAnswer:
    with asked.fleet.database.read() as session:
        group = find(session, asked.key)
        return FilesAnswer(items=file_summaries(session, group.id))


def _found(session: Session, asked: Asked) -> tuple[ServerGroup, str]:
    """The group and the file's name. Raises NotFound."""
    group, name = find(session, asked.key), asked.path["name"]
    if name not in STANDARD_FILES:
        raise NotFound("standard file", name)
    return group, name


def _file(asked: Asked) -> FileAnswer:
    with asked.fleet.database.read() as session:
        group, name = _found(session, asked)
        return file_answer(session, group.id, name)


def _override(asked: Asked) -> FileAnswer:
    body: FileBody = asked.body
    with asked.fleet.database.read() as session:
        group, name = _found(session, asked)
    standard_files.override(asked.fleet, asked.actor, group.id, name, body.content)
    return _file(asked)


def _reset(asked: Asked) -> FileAnswer:
    with asked.fleet.database.read() as session:
        group, name = _found(session, asked)
    standard_files.reset(asked.fleet, asked.actor, group.id, name)
    return _file(asked)


def _pull(asked: Asked) -> RunAnswer:
    body: PullBody = asked.body
    with asked.fleet.database.read() as session:
        group, name = _found(session, asked)
    server = named(asked, "server", body.server)
    return started(asked, standard_files.pull(asked.fleet, asked.actor, group.id, name, server.id))


def _apply(asked: Asked) -> RunAnswer:
    body: ApplyBody = asked.body
    run = group_runs.preview if body.check else group_runs.apply
    return started(asked, run(asked.fleet, asked.actor, asked.key, body.kind, body.scope))


CALLS = (
    Call("GET", "/config-keys", "List the settings of panels", _keys, answer=ConfigKeysAnswer, query=KeyParameters),
    Call("GET", "/groups/{id}/config", "Show the panel settings of a group", _config, answer=GroupConfigAnswer),
    Call(
        "PATCH",
        "/groups/{id}/config/{tier}",
        "Change the panel settings of a group for all, web, mail or dns servers; nothing reaches a server yet",
        _change_config,
        answer=GroupConfigAnswer,
        body=ConfigChange,
    ),
    Call("GET", "/groups/{id}/files", "List the standard files of a group", _files, answer=FilesAnswer),
    Call("GET", "/groups/{id}/files/{name}", "Show a standard file of a group", _file, answer=FileAnswer),
    Call(
        "PUT",
        "/groups/{id}/files/{name}",
        "Give a group its own version of a standard file; nothing reaches a server yet",
        _override,
        answer=FileAnswer,
        body=FileBody,
        largest=ESCAPED * MAX_BYTES,
    ),
    Call(
        "DELETE",
        "/groups/{id}/files/{name}",
        "Back to the panel's own standard file",
        _reset,
        answer=FileAnswer,
    ),
    Call(
        "POST",
        "/groups/{id}/files/{name}/pull",
        "Take over the version of a standard file that a server has",
        _pull,
        answer=RunAnswer,
        status=202,
        body=PullBody,
        once=STARTS,
        problems=("refused",),
    ),
    Call(
        "POST",
        "/groups/{id}/apply",
        "Push settings or standard files to the servers of a group, or show what would change; or look at them all",
        _apply,
        answer=RunAnswer,
        status=202,
        body=ApplyBody,
        once=STARTS,
        problems=("refused",),
    ),
)
