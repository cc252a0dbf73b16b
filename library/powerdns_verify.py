#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: powerdns_verify
short_description: Verify many zones of a PowerDNS server in one go
description:
  - Tells which zones are not as they should be, and how they differ, over PowerDNS's HTTP API.
  - Runs where the API can be reached, not on the nameserver. It touches nothing, in check mode or not.
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
  resources:
    description:
      - What should be there.
    type: list
    elements: dict
    suboptions:
      action:
        description:
          - What the resource is, C(dns.zone).
        type: str
        required: true
      name:
        description:
          - What the result calls it.
        type: str
        required: true
      mark:
        description:
          - Anything; the result repeats it.
        type: str
      options:
        description:
          - The options of M(powerdns_zone) without those of the API.
        type: dict
        default: {}
  resources_json:
    description:
      - The same list as JSON in one piece of text, which Ansible hands on much faster when there are thousands.
      - Give this or O(resources).
    type: str
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
- name: Is the zone as it should be?
  powerdns_verify:
    api_url: http://ns3.example.net:8081
    api_key: "{{ key }}"
    resources:
      - action: dns.zone
        name: customer.com
        options:
          domain: customer.com
          records:
            - {name: "@", type: NS, value: ns1.example.net}
            - {name: "@", type: A, value: 192.0.2.11}
  delegate_to: localhost
"""

RETURN = r"""
checked:
  description: Number of zones that were looked at.
  returned: success
  type: int
differences:
  description: Those that differ, with C(action), C(name), C(mark) and C(diff).
  returned: success
  type: list
  elements: dict
failures:
  description: Those that could not be verified, with C(action), C(name), C(mark), C(error_class) and C(msg).
  returned: success
  type: list
  elements: dict
facts:
  description:
    - The numbers C(checked), C(different) and C(failed). If there are marks, also all of them as C(looked_at), and
      C(differences) and C(failures).
  returned: success
  type: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from ansible.module_utils.hestia_verify import ONE_WAY
from ansible.module_utils.powerdns import run_api_module
from ansible.module_utils.powerdns_verify import OPTIONS, work


def main() -> None:
    run_api_module(work, OPTIONS, rules=ONE_WAY)


if __name__ == "__main__":
    main()
