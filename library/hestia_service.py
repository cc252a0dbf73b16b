#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_service
short_description: Restart a service of a HestiaCP server
description:
  - Restarts a service, running or not, and sees that it runs afterwards.
  - Only services that the panel itself shows can be restarted.
  - A web server, name server, PHP or SSH that runs and would not start again with its configuration is left running.
options:
  name:
    description:
      - Name of the service as the panel shows it.
    type: str
    required: true
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
- name: Start PHP anew
  hestia_service:
    name: php8.2-fpm
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    services:
      description: State of each service, C(running) or C(stopped).
      type: dict
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-restart-service]
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
from ansible.module_utils.hestia_service import OPTIONS, prepare


def main() -> None:
    run_action(prepare, OPTIONS)


if __name__ == "__main__":
    main()
