"""Reading the cases, running them over ssh, comparing what comes back."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CASES = sorted((Path(__file__).parent / "cases").glob("*.yml"))

#: What a word in angle brackets matches.
PATTERNS = {
    "time": r"\d\d:\d\d:\d\d",
    "date": r"\d{4}-\d\d-\d\d",
    "int": r"\d+",
    "word": r"[A-Za-z0-9.,_@-]*",
    "base64": r"[A-Za-z0-9+/=]+",
    "line": r"[^\n]*",
    "any": r"(?s:.*)",
}
#: Before every command: where the panel is, and how to ask the server's own named.
PREAMBLE = r"""
H="${HESTIA:-/usr/local/hestia}"; P="${H%/usr/local/hestia}"; export PATH="$H/bin:$PATH"
dig_() {
  local port; port=$(sed -n 's/.*listen-on port \([0-9]*\) .*/\1/p' "$P/etc/bind/named.conf.options" | head -1)
  dig +time=2 +tries=1 @127.0.0.1 -p "${port:-53}" "$@"
}
"""


@dataclass
class Target:
    """A server to run on. ``options`` are ssh's, ``real`` tells a real server from the stand-in."""

    name: str
    address: str
    port: int
    user: str
    options: list[str]
    real: bool
    become: bool = False
    control: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="conf-") + "/c")

    @property
    def _ssh(self) -> list[str]:
        options = ["BatchMode=yes", "ServerAliveInterval=10", f"ControlPath={self.control}"]
        return [
            *("ssh", "-p", str(self.port)),
            *(part for option in options for part in ("-o", option)),
            *(*self.options, f"{self.user}@{self.address}"),
        ]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command there, all over one connection."""
        if not Path(self.control).exists():
            # In the background, and away from our pipes: it would hold them open.
            subprocess.run([*self._ssh[:1], "-fNM", *self._ssh[1:]], stderr=subprocess.DEVNULL, check=False)
        remote = "sudo -n bash -s" if self.become else "bash -s"
        return subprocess.run(
            [*self._ssh, remote], input=PREAMBLE + command, capture_output=True, text=True, timeout=180, check=False
        )

    def close(self) -> None:
        subprocess.run(
            ["ssh", "-o", f"ControlPath={self.control}", "-O", "exit", self.address], capture_output=True, check=False
        )


def names(target: Target) -> dict[str, str]:
    """Values of the names in angle brackets: unique to this run, so that nothing of the server's own is touched."""
    mark = secrets.token_hex(3)
    ip = target.run("ls $H/data/ips | head -1").stdout.strip()
    return {
        "u": f"cf{mark}", "u2": f"cf{mark}b", "p": f"cf{mark}", "d": f"cf{mark}.test", "d2": f"cf{mark}-two.test",
        "d3": f"cf{mark}-three.test", "ip": ip,
    }  # fmt: skip


def fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda found: values.get(found[1], found[0]), text)


def matches(template: str, said: str) -> bool:
    """Whether a text (its last line break aside) is what the template tells."""
    parts = re.split(r"<(" + "|".join(PATTERNS) + ")>", template)
    pattern = "".join(PATTERNS[part] if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.fullmatch(pattern, said.removesuffix("\n")) is not None


def contains(wanted: Any, found: Any) -> bool:
    """Whether JSON has at least what is wanted; strings may be templates."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and contains(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(contains(each, one) for one in found) for each in wanted)
    if isinstance(wanted, str):
        return isinstance(found, str) and matches(wanted, found)
    return bool(wanted == found)


def load(path: Path, values: dict[str, str]) -> list[dict[str, Any]]:
    return list(yaml.safe_load(fill(path.read_text(), values)))


def check(step: dict[str, Any], target: Target) -> list[str]:
    """Run one step and its looks; what was wrong, in words."""
    if step.get("where", "") == ("sandbox" if target.real else "real"):
        return []
    done = target.run(step["run"])
    wrong = []
    shown = f"$ {step['run'].strip()}\n--- stdout\n{done.stdout}--- stderr\n{done.stderr}--- exit {done.returncode}\n"
    if done.returncode != step.get("exit", 0):
        wrong.append(f"{shown}expected exit {step.get('exit', 0)}")
    if "json" in step:
        try:
            found = json.loads(done.stdout)
        except ValueError as error:
            wrong.append(f"{shown}not JSON: {error}")
        else:
            if not contains(step["json"], found):
                wrong.append(f"{shown}expected JSON with {json.dumps(step['json'])}")
    else:
        templates = step.get("one_of", [step.get("out", "")])
        if not any(matches(template, done.stdout) for template in templates):
            wrong.append(f"{shown}expected stdout\n{templates[0]}")
    for look in step.get("look", []):
        wrong += check(look, target)
    return wrong


def clean_up(target: Target, values: dict[str, str]) -> None:
    """Remove what a file of cases left, also when it stopped half way."""
    script = """
        for u in <u> <u2>; do
          [ -d $H/data/users/$u ] && { v-unsuspend-user $u; v-delete-user $u; v-delete-user $u; }
          grep -q "^$u:" $P/etc/passwd || rm -rf "$P/home/$u"
        done
        [ -e $H/data/packages/<p>.pkg ] && v-delete-user-package <p>
        rm -rf /tmp/<p>*
    """
    target.run(fill(script, values))


def real_targets() -> list[Target]:
    """The servers of the inventory named by HESTIA_FLEET_CONFORMANCE_INVENTORY; none without it."""
    inventory = os.environ.get("HESTIA_FLEET_CONFORMANCE_INVENTORY")
    if not inventory:
        return []
    listed = json.loads(
        subprocess.run(
            ["ansible-inventory", "-i", inventory, "--list"], capture_output=True, text=True, check=True
        ).stdout
    )
    targets = []
    for name, host in listed["_meta"]["hostvars"].items():
        options = []
        if key := host.get("ansible_ssh_private_key_file"):
            options += ["-i", key, "-o", "IdentitiesOnly=yes"]
        options += host.get("ansible_ssh_common_args", "").split()
        targets.append(
            Target(
                name, host.get("ansible_host", name), int(host.get("ansible_port", 22)),
                host.get("ansible_user", "root"), options, real=True, become=bool(host.get("ansible_become")),
            )
        )  # fmt: skip
    return targets
