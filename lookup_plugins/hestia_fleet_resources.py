# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hestia_fleet_resources
short_description: What a Hestia Fleet installation wants of a server
description:
  - Reads the wishes of this moment from the database, the same that the controller's own runs read.
  - Needs the inventory of the plugin C(hestia_fleet), or the same settings in the environment.
author:
  - Hestia Fleet contributors
options:
  _terms:
    description:
      - C(server.config) gives the panel's settings that the server's groups want, C(server.files) its standard files,
        C(server.status) what a look at the server needs. Each is a dictionary with C(action), C(name), C(generation)
        and the C(variables) of the role.
      - C(services) gives everything that services have on the server, without passwords. A dictionary with
        C(resources_json), a list as JSON, each with C(action), C(name) and C(options) of its module, and C(not_ready),
        the ones that nobody can tell yet.
    type: list
    elements: str
    choices: [server.config, server.files, server.status, services]
    required: true
  name:
    description: Of C(server.config) the scope - C(all), C(web), C(mail) or C(dns).
    type: str
    default: all
  service:
    description: Of C(services) only those of this one, by domain or number.
    type: str
    default: ''
  server:
    description: Number of the server; the host's own when it is left out.
    type: int
"""

EXAMPLES = r"""
- name: What settings do the groups of this server want?
  ansible.builtin.debug:
    msg: "{{ lookup('hestia_fleet_resources', 'server.config', name='web').variables.hestia_server_settings }}"
"""

RETURN = r"""
_raw:
  description: What was asked for.
  type: list
  elements: dict
"""

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The database is asked when the task runs: the latest wish wins."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """One dictionary per term."""
        self.set_options(var_options=variables, direct=kwargs)
        server = self.get_option("server") or ((variables or {}).get("hestia_fleet") or {}).get("id")
        if server is None:
            raise AnsibleLookupError("this host is none of the fleet: use the inventory of the plugin hestia_fleet")
        try:
            from controller.automation.installation import NoInstallation
            from controller.operations import by_hand
        except ImportError as problem:
            raise AnsibleLookupError(
                f"{problem}: use the ansible-playbook of the environment that Hestia Fleet is installed in"
            ) from None
        try:
            with by_hand.reading() as session:
                return [self._one(session, int(server), term) for term in terms]
        except NoInstallation as problem:
            raise AnsibleLookupError(str(problem)) from None

    def _one(self, session: Any, server: int, term: str) -> dict[str, Any]:
        from controller.operations.by_hand import server_wish, service_wishes

        if term == "services":
            return asdict(service_wishes(session, server, self.get_option("service")))
        name = {"server.config": self.get_option("name"), "server.files": "standard"}.get(term, "")
        return asdict(server_wish(session, server, term, name))
