#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: powerdns_info
short_description: Tell how a PowerDNS server is doing
description:
  - Asks PowerDNS's HTTP API for version, zones and statistics. Changes nothing.
options:
  api_url:
    description:
      - Where PowerDNS's webserver answers, for example C(http://ns1.example.net:8081).
    type: str
    required: true
  api_key:
    description:
      - The key of its API.
    type: str
    required: true
  server_id:
    description:
      - The server's name in the API.
    type: str
    default: localhost
  timeout:
    description:
      - Seconds to wait for an answer of the API.
    type: int
    default: 30
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
- name: Look at the nameserver
  powerdns_info:
    api_url: http://ns3.example.net:8081
    api_key: "{{ key }}"
  delegate_to: localhost
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    hostname:
      description: PowerDNS's C(server-id), the server's own name unless it is set.
      type: str
    panel_version:
      description: Version of PowerDNS.
      type: str
    zones:
      description: Number of zones.
      type: int
    uptime:
      description: Seconds since it was started.
      type: int
    queries:
      description: Questions it got since then.
      type: int
    latency_us:
      description: Microseconds that an answer takes on average.
      type: int
    services:
      description: State of the service, C(running).
      type: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.powerdns import ACCESS, Api, run_api_module
from ansible.module_utils.powerdns_status import status


def work(api: Api, _module: AnsibleModule) -> dict[str, Any]:
    return {"changed": False, "facts": status(api)}


def main() -> None:
    run_api_module(work, ACCESS)


if __name__ == "__main__":
    main()
