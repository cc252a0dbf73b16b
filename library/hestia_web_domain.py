#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_web_domain
short_description: Manage a web domain of HestiaCP
description:
  - Creates, changes, suspends and deletes a web domain with its folder, virtual hosts and PHP pool.
  - A domain that a killed command left half made is completed. Content found in its folder is kept.
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
  ip:
    description:
      - Address of the domain; a new one gets the panel's first shared address when left out.
    type: str
  aliases:
    description:
      - The exact set of aliases; left out, the panel's choice stays.
    type: list
    elements: str
  backend_template:
    description:
      - PHP template.
    type: str
  proxy_template:
    description:
      - Proxy template.
    type: str
  state:
    description:
      - A suspended domain shows the panel's page for suspended sites.
    type: str
    choices: [present, suspended, absent]
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
- name: A site with its www alias
  hestia_web_domain:
    user: customer-com-web
    domain: customer.com
    aliases: [www.customer.com]
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    ip:
      description: Public address of the domain.
      type: str
    document_root:
      description: Folder of the site.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-add-web-domain]
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
from ansible.module_utils.hestia_web import OPTIONS, WebDomain


def main() -> None:
    run_module(WebDomain, OPTIONS)


if __name__ == "__main__":
    main()
