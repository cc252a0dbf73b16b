#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_package
short_description: Manage a package of HestiaCP
description:
  - Creates, changes and deletes a package, the set of limits that the panel gives to its users.
  - Keys that are not given have the values of the panel's C(default) package; the shell is C(nologin).
options:
  name:
    description:
      - Name of the package.
    type: str
    required: true
  state:
    description:
      - C(absent) is refused while an account uses the package, and always for C(default) and C(system).
    type: str
    choices: [present, absent]
    default: present
  limits:
    description:
      - Panel keys and values, for example C(WEB_DOMAINS), C(DISK_QUOTA) in MB or C(unlimited).
    type: dict
    default: {}
  nameservers:
    description:
      - Name servers that new zones of the users get.
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
- name: Give ten sites and 5 GB
  hestia_package:
    name: gold
    limits:
      WEB_DOMAINS: 10
      DISK_QUOTA: 5000
    nameservers: [ns1.example.net, ns2.example.net]
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-add-user-package]
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
from ansible.module_utils.hestia_packages import OPTIONS, Package


def main() -> None:
    run_module(Package, OPTIONS)


if __name__ == "__main__":
    main()
