#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_recount
short_description: Count disk and traffic of a HestiaCP server's accounts anew
description:
  - Lets the panel count what accounts use, and tells the usage of all accounts.
  - Traffic is not counted on the first day of a month, because the panel starts at zero with every count on it.
options:
  users:
    description:
      - The accounts to count anew; all of them when the list is empty.
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
- name: How much is it now?
  hestia_recount:
    users: [customer-com-web]
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    users:
      description: What M(hestia_usage) tells, of all accounts.
      type: list
      elements: dict
    broken:
      description: Accounts that are half made or cannot be read, with C(name) and C(reason).
      type: list
      elements: dict
actions:
  description: Panel commands that were run, each once.
  returned: always
  type: list
  elements: str
  sample: [v-update-web-domains-disk, v-update-user-disk]
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
from ansible.module_utils.hestia_recount import OPTIONS, prepare


def main() -> None:
    run_action(prepare, OPTIONS)


if __name__ == "__main__":
    main()
