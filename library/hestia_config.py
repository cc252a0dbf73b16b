#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_config
short_description: Set settings of HestiaCP
description:
  - Brings lines of C(hestia.conf) to the wanted values, and what they stand for along with them.
  - A setting that stands for something else (a port, an alias in the web servers) is looked at there too, so that a
    line that was changed alone is noticed and put right.
  - A setting that the panel refuses, or that fails, keeps no other from being set. When all others are as wanted, the
    module fails and names each one with its reason; run again, it tries only these. What cannot concern one setting
    alone (a busy server, a full disk, a command that hangs) ends it at once.
  - Settings that belong together are not half applied. The API is opened (C(API), C(API_SYSTEM)) only when it is said
    from where (C(API_ALLOWED_IP)), C(BACKUP_MODE) and C(BACKUP_GZIP) change in the order in which backups go on
    working, and a path of one database tool goes to the other when it is free.
  - What only tells what is installed (C(WEB_PORT), C(ANTIVIRUS_SYSTEM) and the like) is refused, because another line
    would change nothing but the label.
options:
  settings:
    description:
      - Wanted settings; the others are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description:
          - Name of the setting in C(hestia.conf).
        type: str
        required: true
      value:
        description:
          - Wanted value; not empty, without quotes, C(|), C(&), backslashes and control characters.
        type: str
        required: true
      how:
        description:
          - How it is applied. C(value) for a plain line; C(language), C(api), C(panel_port), C(pma_alias),
            C(pga_alias), C(cgroups) and C(webmail_alias) for the settings that need it. Anything else is refused.
        type: str
        default: value
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
- name: Lower the idle time, and move phpMyAdmin
  hestia_config:
    settings:
      - key: INACTIVE_SESSION_TIMEOUT
        value: "30"
      - key: DB_PMA_ALIAS
        value: databases
        how: pma_alias
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success, and when settings were refused
  type: dict
  contains:
    settings:
      description:
        - Value of every named setting as it is now. When what it stands for differs, that is added in brackets.
      type: dict
    refused:
      description: By name of the setting, why it could not be set. Only when there is such a setting.
      type: dict
      sample: {LANGUAGE: "v-change-sys-language ended with 3 (does not exist): language xx doesn't exist"}
    asked:
      description: By name of the setting, the value that could not be set. Only when there is such a setting.
      type: dict
    besides:
      description: What went wrong after that, a reload for example.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-change-sys-config-value]
repaired:
  description: Half-made things that were cleaned up, in words.
  returned: always
  type: list
  elements: str
  sample: []
error_class:
  description:
    - Kind of failure, of several that for which trying again helps most - C(bad_argument), C(refused), C(busy),
      C(no_room), C(timeout), C(not_found), C(restart_failed), C(inconsistent) or C(internal).
  returned: on failure
  type: str
command:
  description: The panel command that failed, with its I(exit_code) and I(output); when several did, I(facts) tell.
  returned: when a panel command failed
  type: str
"""

from ansible.module_utils.hestia_config import OPTIONS, Settings
from ansible.module_utils.hestia_converge import run_module


def main() -> None:
    run_module(Settings, OPTIONS)


if __name__ == "__main__":
    main()
