#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_user
short_description: Manage an account of HestiaCP
description:
  - Creates, changes, suspends and deletes an account.
  - Half-made accounts that a killed command left behind are cleaned up first.
options:
  name:
    description:
      - Name of the account.
    type: str
    required: true
  password:
    description:
      - Password for a new account; an existing one keeps its own.
    type: str
  email:
    description:
      - Contact address; needed for a new account.
    type: str
  full_name:
    description:
      - Name of the person or company. Straight quotes become typographic ones.
    type: str
  package:
    description:
      - Package whose limits the account has; C(default) for a new account when left out.
    type: str
  state:
    description:
      - A suspended account keeps its data and serves nothing.
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
- name: An account with the limits of package gold
  hestia_user:
    name: customer-com-web
    password: "{{ lookup('ansible.builtin.env', 'ACCOUNT_PASSWORD') }}"
    email: owner@customer.com
    package: gold
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    home:
      description: Home folder of the account.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-add-user]
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
from ansible.module_utils.hestia_users import OPTIONS, User


def main() -> None:
    run_module(User, OPTIONS)


if __name__ == "__main__":
    main()
