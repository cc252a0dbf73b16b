"""The OpenAPI 3.1 document, made from the table of calls and the pydantic models it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import controller
from controller.store.base import Base
from controller.store.desk_models import Delivery, TicketNote
from controller.store.models import OperationLog, Pipeline, Task
from controller.store.work_models import LongRun
from controller.web.api import PREFIX
from controller.web.api.answers import PageInfo
from controller.web.api.bodies import Nothing
from controller.web.api.calls import Call
from controller.web.api.idempotency import HEADER
from controller.web.api.problems import KINDS, MEDIA_TYPE, ProblemDocument, problem_type

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"
PARAMETER = re.compile(r"\{(\w+)\}")
ONLY_IDS = frozenset({"tasks", "pipelines", "tickets", "drift-checks", "zone-runs"})
WORDS = {
    ("groups", "tier"): "all, web, mail or dns",
    ("groups", "name"): "of a standard file",
    ("zones", "id"): "id or domain",
    ("services", "id"): "id or domain",
    ("zone-templates", "id"): "id or name, or built-in",
}
"""What parameters of addresses are, where it is not an id or a name."""

DESCRIPTION = """\
Sell and run hosting on many HestiaCP servers as one fleet.

Every call needs a bearer token (`hestia-fleet token create NAME --scope admin`); one with the scope `read` may
only GET. Wherever a thing is named, its id and its name both serve. An order is answered at once; follow it by
`GET /services/{id}` or `GET /services/{id}/stream`. What goes wrong is answered with a problem document (RFC 9457);
`errors` names each field and the reason.
"""

TAGS = {
    "openapi.json": "This document.",
    "servers": "Machines that host.",
    "groups": "What a product points at: servers that belong together.",
    "products": "What is sold.",
    "customers": "Who buys.",
    "services": "One customer's hosting on one domain.",
    "config-keys": "Settings of panels that groups can manage.",
    "usage": "What services use of what they may.",
    "tasks": "Units of queued work, and their logs.",
    "pipelines": "Tasks that were started together, and what came out.",
    "zones": "DNS zones of services.",
    "zone-runs": "Changes of many zones, a few at a time.",
    "zone-templates": "Records with placeholders that zones are made of.",
    "zone-placeholders": "What can stand in zone templates.",
    "drift-checks": "Comparisons of the whole fleet with what it should be.",
    "tickets": "Failures that need a person.",
    "webhooks": "Addresses that are told what happens, and what was sent to them.",
    "settings": "Settings of the installation.",
    "jobs": "What the engine does from time to time.",
    "operation-log": "Who or what did what, and how it went.",
}


def document(calls: Sequence[Call]) -> Schema:
    """The whole document."""
    models: list[type[BaseModel]] = [ProblemDocument, PageInfo]
    for call in calls:
        models += [model for model in (call.answer, call.body) if model is not None and model not in models]
    answers = [(model, "serialization" if model in _answers(calls) else "validation") for model in models]
    references, definitions = models_json_schema(answers, ref_template=REF)  # type: ignore[arg-type]
    schemas: dict[Any, Schema] = {model: schema for (model, _mode), schema in references.items()}
    paths: dict[str, Schema] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, schemas)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Hestia Fleet",
            "version": controller.__version__,
            "description": DESCRIPTION,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"bearer": []}],
        "tags": [{"name": call_tag, "description": TAGS[call_tag]} for call_tag in _tags(calls)],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": definitions["$defs"],
            "responses": {kind: _problem(kind) for kind in KINDS},
        },
        "x-problems": {
            kind: {"title": known.title, "status": known.status, "meaning": known.meaning}
            for kind, known in KINDS.items()
        },
    }


NAMELESS: tuple[type[Base] | None, ...] = (Pipeline, LongRun, Task, OperationLog, TicketNote, Delivery, None)
"""What has no name that could be taken already."""


def operation_id(call: Call) -> str:
    """``get_services_id_tasks``: stable, unique."""
    return re.sub(r"[^a-z0-9]+", "_", f"{call.method} {call.path}".lower()).strip("_")


def problem_kinds(call: Call) -> list[str]:
    """All kinds of problems a call can answer with."""
    if call.public:
        return ["internal"]
    kinds = ["unauthorized", *call.problems, "internal", "unavailable"]
    if "{" in call.path:
        kinds.append("not-found")
    if call.query or call.body:
        kinds.append("invalid")
    if call.changes:
        kinds += ["forbidden", "too-large"]
    if call.body:
        kinds += ["not-json", "media-type"]
    if call.once:
        kinds += ["in-progress", "key-reused", *([] if call.once.model in NAMELESS else ["conflict"])]
    return sorted(set(kinds), key=lambda kind: (KINDS[kind].status, kind))


def _answers(calls: Iterable[Call]) -> set[type[BaseModel]]:
    always: set[type[BaseModel]] = {ProblemDocument, PageInfo}
    return always | {call.answer for call in calls if call.answer is not None}


def _tags(calls: Iterable[Call]) -> list[str]:
    return list(dict.fromkeys(call.tag for call in calls))


def _problem(kind: str) -> Schema:
    known = KINDS[kind]
    example = {"type": problem_type(kind), "title": known.title, "status": known.status, "detail": known.meaning}
    return {
        "description": f"{known.title}. {known.meaning}",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": REF.format(model=ProblemDocument.__name__)},
                "example": example,
            }
        },
    }


def _operation(call: Call, schemas: dict[type[BaseModel], Schema]) -> Schema:
    operation: Schema = {
        "operationId": operation_id(call),
        "tags": [call.tag],
        "summary": call.summary,
        "parameters": [*_path_parameters(call), *_query_parameters(call), *_header_parameters(call)],
        "responses": {str(call.status): _success(call, schemas)} | _failures(call),
    }
    if call.public:
        operation["security"] = []
    if call.body is not None:
        operation["requestBody"] = {
            "required": call.body is not Nothing,
            "content": {"application/json": {"schema": schemas[call.body]}},
        }
    return operation


def _path_parameters(call: Call) -> list[Schema]:
    return [_path_parameter(call, name) for name in PARAMETER.findall(call.path)]


def _path_parameter(call: Call, name: str) -> Schema:
    only_id = name == "record" or (name == "id" and call.tag in ONLY_IDS)
    described = WORDS.get((call.tag, name), "id" if only_id else "id or name")
    schema: Schema = {"type": "integer", "minimum": 1} if only_id else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": described, "schema": schema}


def _query_parameters(call: Call) -> list[Schema]:
    if call.query is None:
        return []
    schema = call.query.model_json_schema()
    parameters = []
    for name, described in schema["properties"].items():
        described = _inlined(described, schema.get("$defs", {}))
        described.pop("title", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": described}
        if "description" in described:
            parameter["description"] = described.pop("description")
        parameters.append(parameter)
    return parameters


def _inlined(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A parameter's schema without references, and without null: a parameter is simply left out."""
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "$ref")}
    if rest.get("default", ...) is None:
        del rest["default"]
    for choice in [schema, *choices]:
        if "$ref" in choice:
            target = definitions[choice["$ref"].rsplit("/", 1)[1]]
            rest = {"type": target["type"], "enum": target["enum"]} | rest
    if choices and "enum" not in rest:
        rest = choices[0] | rest
    return rest


def _header_parameters(call: Call) -> list[Schema]:
    if call.once:
        return [
            {
                "name": HEADER,
                "in": "header",
                "required": False,
                "description": "sent again within 24 hours with the same body, the first answer comes again "
                "(with `Idempotency-Replayed: true`) and nothing is done twice",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        ]
    if call.streams:
        return [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "the last id seen; what came after it is sent first",
                "schema": {"type": "string"},
            }
        ]
    return []


def _success(call: Call, schemas: dict[type[BaseModel], Schema]) -> Schema:
    if call.streams:
        return {
            "description": f"server-sent events named `{call.streams}`, each with its id; no gaps, no repeats",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    if call.text:
        return {
            "description": call.summary,
            "content": {media_type: {"schema": {"type": "string"}} for media_type in call.text},
        }
    if call.answer is None:
        return {"description": call.summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    schema = schemas[call.answer]
    success: Schema = {"description": call.summary}
    if call.listed:
        schema = {
            "type": "object",
            "required": ["items", "page"],
            "properties": {
                "items": {"type": "array", "items": schema},
                "page": {"$ref": REF.format(model=PageInfo.__name__)},
            },
        }
        text: Schema = {"type": "string"}
        success["headers"] = {"Link": {"description": "first, prev, next and last page (RFC 8288)", "schema": text}}
    if call.once:
        text = {"type": "string"}
        replayed = {"description": "`true` when this is the first answer again", "schema": text}
        success["headers"] = {"Idempotency-Replayed": replayed}
        if call.once.located:
            success["headers"]["Location"] = {
                "description": "address of what was made, started or changed",
                "schema": text,
            }
    success["content"] = {"application/json": {"schema": schema}}
    return success


def _failures(call: Call) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for kind in problem_kinds(call):
        by_status.setdefault(KINDS[kind].status, []).append(kind)
    failures: dict[str, Schema] = {}
    for status, kinds in by_status.items():
        if len(kinds) == 1:
            failures[str(status)] = {"$ref": f"#/components/responses/{kinds[0]}"}
            continue
        examples = {kind: {"value": _problem(kind)["content"][MEDIA_TYPE]["example"]} for kind in kinds}
        failures[str(status)] = {
            "description": " ".join(f"{KINDS[kind].title}." for kind in kinds),
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": REF.format(model=ProblemDocument.__name__)}, "examples": examples}
            },
        }
    return failures
