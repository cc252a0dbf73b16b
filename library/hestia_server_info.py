#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_server_info
short_description: Tell what a HestiaCP server is and how it is doing
description:
  - Reads the system, the panel and its services. Changes nothing.
options: {}
author:
  - Hestia Fleet contributors
attributes:
  check_mode:
    support: full
    description: Says what would change and touches nothing.
  diff_mode:
    support: full
    description: Shows the resource before and after.
"""

EXAMPLES = r"""
- name: Look at the server
  hestia_server_info:
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    hostname:
      description: Full name of the server.
      type: str
    os:
      description: Operating system, for example C(debian).
      type: str
    os_version:
      description: Its version.
      type: str
    panel_version:
      description: Version of HestiaCP.
      type: str
    ips:
      description: Addresses the panel knows.
      type: list
    root:
      description: Whether the module runs as root.
      type: bool
    load:
      description: Load average of the last minute.
      type: float
    cpus:
      description: Number of processors.
      type: int
    memory_mb:
      description: Memory.
      type: int
    memory_used_mb:
      description: Memory in use.
      type: int
    disk_mb:
      description: Size of the disk with the homes.
      type: int
    disk_used_mb:
      description: Space in use on it.
      type: int
    services:
      description: State of each service, C(running) or C(stopped).
      type: dict
    users:
      description: Number of accounts.
      type: int
    systems:
      description: Software for C(web), C(proxy), C(mail), C(imap), C(dns) and C(db); empty when there is none.
      type: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hestia_converge import fail
from ansible.module_utils.hestia_info import server_info
from ansible.module_utils.hestia_panel import Panel, PanelError


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    panel = Panel(check_mode=True)
    try:
        panel.require_access()
        facts = server_info(panel)
    except PanelError as error:
        fail(module, panel, error)
    module.exit_json(changed=False, facts=facts)


if __name__ == "__main__":
    main()
