#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_rebuild
short_description: Rebuild the configuration of a HestiaCP server's accounts
description:
  - Lets the panel write the configuration of web, mail or DNS domains, or of accounts, anew from its own data.
  - Suspended accounts, zones and mail domains are left alone. So are zones that a rebuild would take offline.
  - A web domain's folder with error pages is made anew, unless the panel is set to keep it.
options:
  what:
    description:
      - What to rebuild; C(users) means system users, homes and jails.
    type: str
    choices: [web, mail, dns, users]
    required: true
  users:
    description:
      - The accounts; all of them when the list is empty.
    type: list
    elements: str
    default: []
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
- name: Write the virtual hosts of one account anew
  hestia_rebuild:
    what: web
    users: [customer-com-web]
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    rebuilt:
      description: Number of domains, or of accounts, that were rebuilt.
      type: int
    skipped:
      description: What was left alone, with C(name) and C(reason).
      type: list
      elements: dict
actions:
  description: Panel commands that were run, each once.
  returned: always
  type: list
  elements: str
  sample: [v-rebuild-web-domain, v-restart-web]
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

from ansible.module_utils.hestia_converge import run_action
from ansible.module_utils.hestia_rebuild import OPTIONS, prepare


def main() -> None:
    run_action(prepare, OPTIONS)


if __name__ == "__main__":
    main()
