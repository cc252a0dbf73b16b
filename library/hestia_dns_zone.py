#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_dns_zone
short_description: Manage a DNS zone of HestiaCP
description:
  - Writes a zone as a whole, checked with C(named-checkzone) before and proved by asking the server afterwards.
  - An unchanged set of records writes nothing and uses no serial.
  - The zone of a suspended account is not published.
options:
  user:
    description:
      - The account that owns it.
    type: str
    required: true
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
  ip:
    description:
      - Address that the panel shows for the zone.
    type: str
  state:
    description:
      - Whether the zone is there.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description:
      - Seconds to wait for another change on the same server to end.
    type: int
    default: 60
  command_timeout:
    description:
      - Seconds after which a panel command is stopped.
    type: int
    default: 300
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
  hestia_dns_zone:
    user: customer-com-dns
    domain: customer.com
    records:
      - {name: "@", type: NS, value: ns1.example.net}
      - {name: "@", type: NS, value: ns2.example.net}
      - {name: "@", type: A, value: 192.0.2.11}
      - {name: "@", type: MX, value: mail.customer.com, priority: 10}
      - {name: mail, type: A, value: 192.0.2.21}
      - {name: "@", type: TXT, value: v=spf1 mx -all}
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
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-insert-dns-domain, v-insert-dns-records, v-rebuild-dns-domain]
repaired:
  description: Half-made things that were cleaned up, in words.
  returned: always
  type: list
  elements: str
  sample: []
error_class:
  description:
    - Kind of failure - C(bad_argument), C(refused), C(busy), C(no_room), C(timeout), C(not_found), C(restart_failed),
      C(inconsistent) or C(internal).
  returned: on failure
  type: str
command:
  description: The panel command that failed, with its I(exit_code) and I(output).
  returned: when a panel command failed
  type: str
"""

from ansible.module_utils.hestia_converge import run_module
from ansible.module_utils.hestia_dns import OPTIONS, DnsZone


def main() -> None:
    run_module(DnsZone, OPTIONS)


if __name__ == "__main__":
    main()
