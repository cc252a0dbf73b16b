#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_file_info
short_description: Read a standard file of a HestiaCP web server
description:
  - Returns what a standard file holds now. Changes nothing.
options:
  name:
    description:
      - C(error_403), C(error_404), C(error_410), C(error_50x), C(index), C(robots), C(suspended) or C(unassigned).
    type: str
    required: true
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
- name: Read the page of suspended sites
  hestia_file_info:
    name: suspended
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    content:
      description: Text of the file. One larger than 256 KiB, or that is not UTF-8 text, is refused.
      type: str
error_class:
  description: Kind of failure - C(bad_argument), C(not_found), C(refused) or C(internal).
  returned: on failure
  type: str
"""

from typing import Any

from ansible.module_utils.hestia_converge import Work, run_reading
from ansible.module_utils.hestia_files import NAME_OPTIONS, checked_name, file_text
from ansible.module_utils.hestia_panel import Panel


def main() -> None:
    run_reading(prepare, NAME_OPTIONS)


def prepare(panel: Panel, params: dict[str, Any]) -> Work:
    name = checked_name("name", params["name"])
    return lambda: {"changed": False, "facts": {"content": file_text(panel, name)}}


if __name__ == "__main__":
    main()
