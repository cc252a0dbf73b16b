#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: powerdns_zone
short_description: Manage a zone of PowerDNS
description:
  - Brings a zone to the records it is given, over PowerDNS's HTTP API, in one call that does all or nothing.
  - Runs where the API can be reached, not on the nameserver.
  - An unchanged set of records writes nothing and uses no serial.
  - Records of the zone that are not listed are removed. A zone that belongs to another account is left alone.
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
  domain:
    description:
      - The domain name in its ASCII form (C(xn--...) for an international one).
    type: str
    required: true
  records:
    description:
      - All records of the zone, its own NS records among them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name relative to the zone, or C(@).
        type: str
        required: true
      type:
        description:
          - Record type.
        type: str
        required: true
      value:
        description:
          - The value; text without quotes, host names with or without their final dot.
        type: str
        required: true
      ttl:
        description:
          - Seconds; the zone's when it is left out.
        type: int
      priority:
        description:
          - Priority of an MX or SRV record.
        type: int
  ttl:
    description:
      - Seconds of records without an own ttl.
    type: int
    default: 14400
  soa:
    description:
      - Primary name server; the first NS record of the zone when left out.
    type: str
  account:
    description:
      - What zones of the fleet carry as their account in PowerDNS. Zones with another one are not touched; an empty
        account means that all zones are the fleet's.
    type: str
    default: hestia-fleet
  state:
    description:
      - Whether the zone is there.
    type: str
    choices: [present, absent]
    default: present
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
- name: A zone
  powerdns_zone:
    api_url: http://ns3.example.net:8081
    api_key: "{{ key }}"
    domain: customer.com
    records:
      - {name: "@", type: NS, value: ns1.example.net}
      - {name: "@", type: NS, value: ns3.example.net}
      - {name: "@", type: A, value: 192.0.2.11}
      - {name: "@", type: MX, value: mail.customer.com, priority: 10}
      - {name: mail, type: A, value: 192.0.2.21}
      - {name: "@", type: TXT, value: v=spf1 mx -all}
  delegate_to: localhost
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    serial:
      description: Serial of the zone.
      type: str
    records:
      description: Number of records.
      type: int
actions:
  description: What was changed.
  returned: always
  type: list
  elements: str
  sample: [create zone]
repaired:
  description: Always empty; PowerDNS does all of a change or nothing.
  returned: always
  type: list
  elements: str
  sample: []
error_class:
  description:
    - Kind of failure - C(bad_argument), C(refused), C(busy), C(unreachable), C(authentication), C(not_found),
      C(inconsistent) or C(internal).
  returned: on failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.powerdns import Api, run_api_module
from ansible.module_utils.powerdns_zones import OPTIONS, Zone, bring


def work(api: Api, module: AnsibleModule) -> dict[str, Any]:
    return bring(Zone(api, module.params), module.check_mode)


def main() -> None:
    run_api_module(work, OPTIONS)


if __name__ == "__main__":
    main()
