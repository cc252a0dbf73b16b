"""Settings that staff edit: look, change, reset. What was changed is in the operation log, secrets never."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.domain.failures import NEVER_RETRIED
from controller.domain.options import (
    BY_NAME,
    SECRETS,
    SECTIONS,
    DriftOptions,
    MailOptions,
    RetryOptions,
    Section,
    TicketOptions,
)
from controller.domain.problems import Problem
from controller.engine.drift import KIND as DRIFT_JOB
from controller.engine.fleet import Fleet
from controller.operations import jobs
from controller.operations.fields import Fields
from controller.operations.reasons import problems
from controller.operations.records import audit, must
from controller.store.options import load, save
from controller.store.vault import Vault, VaultError
from controller.store.work_models import Setting

SET, NOT_SET = "set", "not set"
SEPARATORS = re.compile(r"[,;\s]+")

Values = dict[str, Any]


def model_of(name: str) -> type[Section]:
    """The section with this name. Raises NotFound."""
    return must(BY_NAME.get(name), "section of the settings", name)


def show(session: Session, name: str) -> Values:
    """A section as it is set now, fit for JSON; a secret only says whether it is set. Raises NotFound."""
    return _shown(_current(session, model_of(name)))


def show_all(session: Session) -> dict[str, Values]:
    """Every section."""
    return {model.section: show(session, model.section) for model in SECTIONS}


def change(
    fleet: Fleet, actor: str, name: str, changes: Mapping[str, Any], *, strict: bool = False, remove: Sequence[str] = ()
) -> Values:
    """Change some fields of a section and return it as :func:`show` does.

    ``changes`` maps names to values, in dotted form (``classes.busy.attempts``) or nested. Texts are read as what
    the field takes, unless ``strict``. An empty secret keeps the stored one; None, or its name in ``remove``,
    removes it. Raises NotFound, and Invalid with every bad field; nothing is written then.
    """
    model = model_of(name)
    fields = Fields()
    wanted = dict(_flat(changes, _leaves(model)))
    with fleet.database.write() as session:
        _lock(session, name)
        old = _current(session, model)
        secrets = _secrets(fields, fleet.vault, old, wanted, remove)
        candidate = _validated(fields, model, old, wanted, strict=strict)
        usual = _check(fields, old, candidate, wanted, secrets) if candidate is not None else {}
        fields.finish()
        assert candidate is not None
        new = candidate.model_copy(update={**usual, **{field: sealed for field, (sealed, _) in secrets.items()}})
        _write(session, actor, "settings.change", old, new, {field: words for field, (_, words) in secrets.items()})
        return _shown(new)


def reset(fleet: Fleet, actor: str, name: str) -> Values:
    """Give a section its defaults again; that removes its secrets. Raises NotFound."""
    model = model_of(name)
    with fleet.database.write() as session:
        _lock(session, name)
        old, new = _current(session, model), model()
        removed = {field: "removed" for field in _secret_fields(model) if getattr(old, field)}
        _write(session, actor, "settings.reset", old, new, removed)
        return _shown(new)


def _lock(session: Session, name: str) -> None:
    """Two changes at once would lose one of them."""
    session.execute(select(Setting.section).where(Setting.section == name).with_for_update())


def _current(session: Session, model: type[Section]) -> Section:
    """The section with every field, those too that fall back to their default."""
    values = load(session, model).model_dump(mode="json")
    for path, default in _leaves(model).items():
        parent, last = _place(values, path)
        parent.setdefault(last, default)
    return model.model_validate(values)


def _place(values: Values, path: str) -> tuple[Values, str]:
    """Where a dotted name lives: its parent and its own name there."""
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    return values, last


def _secret_fields(model: type[Section]) -> list[str]:
    return [field for section, field in SECRETS if section == model.section]


def _shown(section: Section) -> Values:
    values = section.model_dump(mode="json")
    for field in _secret_fields(type(section)):
        values[field] = SET if values[field] else NOT_SET
    return values


def _leaves(model: type[Section]) -> dict[str, Any]:
    """Dotted names and defaults of everything that can be set."""
    return dict(_walk(model().model_dump(mode="json")))


def _walk(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _flat(changes: Mapping[str, Any], leaves: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested changes in dotted form; goes no deeper than there are fields."""
    for key, value in changes.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and _has_fields(path, leaves):
            yield from _flat(value, leaves, f"{path}.")
        else:
            yield path, value


def _has_fields(path: str, leaves: Mapping[str, Any]) -> bool:
    return any(leaf.startswith(f"{path}.") for leaf in leaves)


def _secrets(
    fields: Fields, vault: Vault, old: Section, wanted: dict[str, Any], remove: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Takes the secrets out of what is wanted; those that change as (sealed, what the log says)."""
    changed: dict[str, tuple[str, str]] = {}
    for field in _secret_fields(type(old)):
        stored = getattr(old, field)
        if field in remove or (field in wanted and wanted[field] is None):
            wanted.pop(field, None)
            if stored:
                changed[field] = ("", "removed")
        elif field in wanted:
            plain = fields.secret(field, wanted.pop(field))
            # Who sends back what was shown has not changed it.
            if plain not in ("", SET, NOT_SET) and plain != _opened(vault, stored):
                changed[field] = (vault.seal(plain), "changed" if stored else "set")
    return changed


def _opened(vault: Vault, sealed: str) -> str | None:
    try:
        return vault.unseal(sealed) if sealed else None
    except VaultError:
        return None


def _validated(
    fields: Fields, model: type[Section], old: Section, wanted: Mapping[str, Any], *, strict: bool
) -> Section | None:
    """The section with the changes in it, if every single value is right."""
    values, leaves = old.model_dump(mode="json"), _leaves(model)
    for path, value in wanted.items():
        if path not in leaves:
            fields.problem(path, "must be an object" if _has_fields(path, leaves) else "is not known here")
            continue
        parent, last = _place(values, path)
        parent[last] = _listed(value) if isinstance(leaves[path], list) and isinstance(value, str) else value
    try:
        # Only JSON's strict mode takes the words of an enum for it.
        return model.model_validate_json(json.dumps(values), strict=True) if strict else model.model_validate(values)
    except ValidationError as error:
        fields.extend(_of_whole_fields(problems(error), leaves))
    except ValueError:
        fields.problem("body", "is not JSON")
    return None


def _listed(text: str) -> list[str]:
    return [word for word in SEPARATORS.split(text) if word]


def _of_whole_fields(found: Sequence[Problem], leaves: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with one item of a list is said of the list."""
    for problem in found:
        whole = problem.field.rpartition(".")[0]
        yield Problem(whole, problem.reason) if whole in leaves else problem


def _check(
    fields: Fields,
    old: Section,
    new: Section,
    wanted: Mapping[str, Any],
    secrets: Mapping[str, tuple[str, str]],
) -> Values:
    """What single values cannot say; returns texts in their usual form."""
    match new:
        case RetryOptions():
            _check_retries(fields, new, wanted)
        case TicketOptions():
            return {"email_to": list(dict.fromkeys(fields.email("email_to", address) for address in new.email_to))}
        case MailOptions():
            return _check_mail(fields, old, new, secrets)
    return {}


def _check_retries(fields: Fields, new: RetryOptions, wanted: Mapping[str, Any]) -> None:
    for kind, policy in new.classes.items():
        name = f"classes.{kind.value}"
        touched = [path for path in wanted if path.startswith(f"{name}.")]
        if kind in NEVER_RETRIED and policy.policy() != new.policy(kind):
            for path in touched:
                fields.problem(path, "cannot be changed: what failed this way is never tried again")
        elif policy.delay > policy.delay_max:
            if f"{name}.delay" in touched:
                fields.problem(f"{name}.delay", f"must not be longer than the longest delay ({policy.delay_max:g} s)")
            else:
                fields.problem(f"{name}.delay_max", f"must not be shorter than the first delay ({policy.delay:g} s)")


def _check_mail(fields: Fields, old: Section, new: MailOptions, secrets: Mapping[str, tuple[str, str]]) -> Values:
    assert isinstance(old, MailOptions)
    usual = {
        "host": fields.host("host", new.host, maximum=253, required=False).lower(),
        "username": fields.text("username", new.username, maximum=254, required=False),
        "sender": fields.email("sender", new.sender) if new.sender.strip() else "",
    }
    if usual["host"] and not usual["sender"]:
        fields.problem("sender", "is needed to send e-mail")
    if old.password and usual["host"] not in ("", old.host) and "password" not in secrets:
        # Else whoever may change settings could have the stored password sent to a server of theirs.
        fields.problem("password", "is needed again, because it would go to another server now")
    return usual


def _write(
    session: Session, actor: str, action: str, old: Section, new: Section, secret_words: Mapping[str, str]
) -> None:
    """Store the section and one line of what changed; nothing at all if nothing did."""
    hidden = _secret_fields(type(new))
    before, after = dict(_walk(old.model_dump(mode="json"))), dict(_walk(new.model_dump(mode="json")))
    changed = {
        path: [before.get(path), value]
        for path, value in after.items()
        if path not in hidden and value != before.get(path)
    }
    if not changed and not secret_words:
        return
    lines = [f"{path}: {_word(was)} -> {_word(now)}" for path, (was, now) in changed.items()]
    lines += [f"{field}: {words}" for field, words in secret_words.items()]
    save(session, new, actor)
    if isinstance(new, DriftOptions):
        jobs.replan(session, DRIFT_JOB)
    audit(session, actor, action, new.section, message="; ".join(lines), changes={**changed, **secret_words})


def _word(value: Any) -> str:
    match value:
        case None | "" | []:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)
