"""What roles and modules say about themselves agrees with what they do."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "meta").is_dir())
MODULES = sorted((ROOT / "library").glob("*.py"))

CHANGING = {"lock_timeout": {"type": "int", "default": 60}, "command_timeout": {"type": "int", "default": 300}}
#: The functions that are a module's main(), and the options that they add.
RUNS: dict[str, dict[str, Any]] = {"run_module": CHANGING, "run_action": CHANGING}
RUNS |= {"run_reading": {}, "run_verify": {}, "run_api_module": {}}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def specs(role: str) -> dict[str, dict[str, Any]]:
    return {
        entry: spec["options"]
        for entry, spec in load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"].items()
    }


def cell(value: Any) -> str:
    words = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"`{words}`"


def table(role: str, entry: str) -> list[str]:
    readme = (ROOT / "roles" / role / "README.md").read_text()
    section = re.search(rf"^## {entry}$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section, f"README of {role} has no section {entry}"
    return [line for line in section.group(1).splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_has_the_table_of_every_entry_point(role: str) -> None:
    for entry, options in specs(role).items():
        if entry == "main":
            continue
        rows = []
        for name, option in options.items():
            choices = option.get("choices")
            meaning = option["description"] + (f" One of {', '.join(map(cell, choices))}." if choices else "")
            needed = "yes" if option.get("required") else "no"
            default = cell(option["default"]) if "default" in option else ""
            rows.append(f"| `{name}` | {option['type']} | {needed} | {default} | {meaning} |")
        assert table(role, entry) == rows


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_one_task_with_all_its_variables(role: str) -> None:
    folder = ROOT / "roles" / role / "tasks"
    assert {path.stem for path in folder.glob("*.yml")} == set(specs(role))
    listed = [task["ansible.builtin.include_tasks"] for task in load(folder / "main.yml")]
    assert sorted(listed) == sorted(f"{entry}.yml" for entry in specs(role) if entry != "main")
    for entry, options in specs(role).items():
        if entry != "main":
            (task,) = load(folder / f"{entry}.yml")
            (arguments,) = (value for key, value in task.items() if key.startswith(("hestia_", "powerdns_")))
            assert set(re.findall(rf"{role}_\w+", str(arguments))) == set(options)


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specs(role: str) -> None:
    wanted = {
        name: option["default"]
        for options in specs(role).values()
        for name, option in options.items()
        if "default" in option
    }
    assert load(ROOT / "roles" / role / "defaults/main.yml") == wanted


@pytest.mark.parametrize("role", ROLES)
def test_passwords_are_never_logged(role: str) -> None:
    for options in specs(role).values():
        for name, option in options.items():
            assert option.get("no_log", False) == name.endswith(("_password", "_api_key"))


def documented(module: Path) -> dict[str, Any]:
    tree = ast.parse(module.read_text())
    return {
        target.id: yaml.safe_load(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def argument_spec(module: Path) -> dict[str, Any]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and (kind := getattr(node.func, "id", "")) in RUNS:
            return {**options(node.args[-1], module), **RUNS[kind]}
    return {}


def options(node: ast.expr, module: Path) -> dict[str, Any]:
    """The last argument of the call: written there, or taken from the shared code."""
    if not isinstance(node, ast.Name):
        spec: dict[str, Any] = ast.literal_eval(node)
        return spec
    for statement in ast.parse(module.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and node.id in [alias.name for alias in statement.names]:
            found: dict[str, Any] = getattr(importlib.import_module(str(statement.module)), node.id)
            return found
    raise AssertionError(f"{module.stem}: {node.id} is imported from nowhere")


def without_words(options: dict[str, Any]) -> dict[str, Any]:
    plain = {}
    for name, option in options.items():
        plain[name] = {key: value for key, value in option.items() if key not in ("description", "no_log")}
        for word in ("suboptions", "options"):
            if word in plain[name]:
                plain[name]["options"] = without_words(plain[name].pop(word))
    return plain


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_documentation(module: Path) -> None:
    docs = documented(module)
    assert docs["DOCUMENTATION"]["module"] == module.stem
    assert without_words(docs["DOCUMENTATION"]["options"]) == without_words(argument_spec(module))
    assert docs["EXAMPLES"][0][module.stem] or not docs["DOCUMENTATION"]["options"]
    assert "facts" in docs["RETURN"]
    assert "# SPDX-License-Identifier: AGPL-3.0-or-later" in module.read_text()


def test_the_playbook_reaches_every_entry_point() -> None:
    (play,) = load(ROOT / "playbooks/run_action.yml")
    assert play["gather_facts"] is False
    assert set(ROLES) == {"hestia_web", "hestia_mail", "hestia_dns", "hestia_server", "powerdns"}


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "module_utils").glob("*.py"))], ids=lambda path: path.name)
def test_servers_have_python_3_9_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for name in names:
        assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("ansible.module_utils"), name
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))
