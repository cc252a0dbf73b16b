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
    cpu:
      description: How busy the processors are at the moment, in percent of all.
      type: float
    cpus:
      description: Number of processors.
      type: int
    uptime:
      description: Seconds since the server was started.
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
    missing:
      description: What the server lacks to be managed well, in sentences; a version that is too old, for example.
      type: list
      elements: str
    views:
      description: What is a list on the server.
      type: dict
      contains:
        config:
          description: The settings of hestia.conf; secrets are masked.
          type: dict
        packages:
          description: Packages with C(name) and their limits by the panel's keys.
          type: list
          elements: dict
        addresses:
          description: Addresses with C(ip), C(owner), C(status), C(nat), C(interface), C(users) and C(web_domains).
          type: list
          elements: dict
        services:
          description: Services with C(name), C(what), C(state), C(cpu) in percent, C(memory_mb) and C(minutes).
          type: list
          elements: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from ansible.module_utils.hestia_converge import Work, run_reading
from ansible.module_utils.hestia_info import server_info
from ansible.module_utils.hestia_panel import Panel


def main() -> None:
    run_reading(prepare, {})


def prepare(panel: Panel, _params: dict[str, object]) -> Work:
    return lambda: {"changed": False, "facts": server_info(panel)}


if __name__ == "__main__":
    main()
