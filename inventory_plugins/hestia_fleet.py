# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hestia_fleet
short_description: The servers of a Hestia Fleet installation
description:
  - Reads servers, groups and logins from the database of a Hestia Fleet installation.
  - The file that names this plugin must end in C(hestia_fleet.yml) or C(hestia_fleet.yaml).
  - Hosts are in the groups C(capability_web), C(capability_mail), C(capability_dns), C(driver_hestiacp),
    C(driver_powerdns), C(status_active) and so on, and C(group_<name>) for every server group that they serve; a
    nameserver is in the group of every server group that it is attached to.
  - The host variable C(hestia_fleet) holds C(id), C(name), C(group), C(groups), C(capabilities), C(driver), C(status)
    and C(hostname).
  - Passwords and private keys are not part of the inventory. They are looked up when a task connects, and a private key
    lies in a file in memory for as long as the run lasts. The host key must be the one that was pinned.
requirements:
  - the Python environment that Hestia Fleet is installed in
author:
  - Hestia Fleet contributors
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [hestia_fleet]
  home:
    description: Data folder of the installation.
    type: path
    env:
      - name: HESTIA_FLEET_HOME
  database_url:
    description: SQLAlchemy URL of the database; SQLite in the data folder if it is left out.
    type: str
    env:
      - name: HESTIA_FLEET_DATABASE_URL
  secret_key_file:
    description: File with the key that opens stored logins; C(secret.key) in the data folder if it is left out.
    type: path
    env:
      - name: HESTIA_FLEET_SECRET_KEY_FILE
  status:
    description: Only servers in these states; an empty list takes all.
    type: list
    elements: str
    choices: [active, closed, maintenance, disabled]
    default: [active, closed]
extends_documentation_fragment:
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# fleet.hestia_fleet.yml: the installation that HESTIA_FLEET_HOME names
plugin: hestia_fleet

# Another data folder, all servers whatever their state, and groups of one's own
---
plugin: hestia_fleet
home: /srv/hestia-fleet
status: []
keyed_groups:
  - key: hestia_fleet.capabilities | length
    prefix: roles
compose:
  place: hestia_fleet.hostname.split('.')[1]
"""

import hashlib
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template

SETTINGS = ("home", "database_url", "secret_key_file")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Hosts, groups and variables as the controller's own runs have them."""

    NAME = "hestia_fleet"

    def verify_file(self, path: str) -> bool:
        """Only files that say so by their name."""
        return super().verify_file(path) and path.endswith(("hestia_fleet.yml", "hestia_fleet.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Fill the inventory from the cache, or from the database."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            from controller.automation.installation import NoInstallation
        except ImportError as problem:
            raise AnsibleParserError(
                f"{problem}: use the ansible-playbook of the environment that Hestia Fleet is installed in"
            ) from None
        try:
            self._fill(self._hosts(path, cache))
        except NoInstallation as problem:
            raise AnsibleParserError(str(problem)) from None

    def _hosts(self, path: str, cache: bool) -> dict[str, Any]:
        """Servers as plain data, without secrets."""
        from controller.automation.fleet_inventory import fleet_hosts
        from controller.automation.installation import choose

        settings = choose(**{name: self.get_option(name) for name in SETTINGS})
        wanted = sorted(self.get_option("status"))
        key = self._key(path, settings.effective_database_url, wanted)
        cached = self.get_option("cache")
        if cached and cache:
            try:
                return dict(self._cache[key])
            except KeyError:
                pass  # never asked for, or too old
        hosts = fleet_hosts(settings.server_python, wanted)
        if cached:
            self._cache[key] = hosts
        return hosts

    def _key(self, path: str, url: str, wanted: list[str]) -> str:
        """Another installation or another filter is another entry."""
        mark = hashlib.sha256("\0".join([url.rpartition("@")[2], *wanted]).encode()).hexdigest()[:12]
        return f"{self.get_cache_key(path)}_{mark}"

    def _fill(self, hosts: dict[str, Any]) -> None:
        from controller.automation.fleet_inventory import ALWAYS, login_arguments, login_variables

        assert self.inventory is not None
        strict = self.get_option("strict")
        for group in ALWAYS:
            self.inventory.add_group(group)
        for name, host in hosts.items():
            self.inventory.add_host(name)
            for group in host["groups"]:
                self.inventory.add_group(group)
                self.inventory.add_child(group, name)
            for variable, value in {**host["variables"], **login_arguments(host)}.items():
                self.inventory.set_variable(name, variable, _data(value))
            # The only templates, and their text is ours.
            for variable, text in login_variables(host).items():
                self.inventory.set_variable(name, variable, trust_as_template(text))
            variables = self.inventory.get_host(name).get_vars()
            self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
            variables = self.inventory.get_host(name).get_vars()
            self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict, fetch_hostvars=False)
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), variables, name, strict, fetch_hostvars=False
            )


def _data(value: Any) -> Any:
    """What people have typed, or servers have reported, is never a template. Ansible marks such text in its lists;
    where nothing in it could be one, the mark is left out, so that others can read them."""
    if isinstance(value, dict):
        return {key: _data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_data(item) for item in value]
    if isinstance(value, str) and "{" not in value and not value.startswith("#"):
        return trust_as_template(value)
    return value
