# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hestia_fleet_login
short_description: The login of a server of a Hestia Fleet installation
description:
  - Opens the stored login of a server when a task connects, so that no inventory and no cache holds it.
  - Needs the inventory of the plugin C(hestia_fleet), or the same settings in the environment.
author:
  - Hestia Fleet contributors
options:
  _terms:
    description:
      - C(password) gives the password.
      - C(private_key_file) gives the path of a file with the private key. It lies in memory, only its owner can read
        it, and it goes when the run ends.
    type: list
    elements: str
    choices: [password, private_key_file]
    required: true
  server:
    description: Number of the server.
    type: int
    required: true
"""

EXAMPLES = r"""
ansible_password: "{{ lookup('hestia_fleet_login', 'password', server=3) }}"
"""

RETURN = r"""
_raw:
  description: What was asked for.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The database is asked by the process that connects; nothing is kept in Ansible's variables."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """One text per term."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            from controller.automation.installation import NoInstallation
            from controller.automation.logins import login
        except ImportError as problem:
            raise AnsibleLookupError(
                f"{problem}: use the ansible-playbook of the environment that Hestia Fleet is installed in"
            ) from None
        try:
            return [login(self.get_option("server"), term) for term in terms]
        except NoInstallation as problem:
            raise AnsibleLookupError(str(problem)) from None
