#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_files
short_description: Replace standard files of a HestiaCP web server
description:
  - Replaces error pages, the default page and C(robots.txt) of new sites, the page of suspended sites and that of
    unassigned addresses by own ones, and puts the panel's back.
  - The panel's own file is kept in C(/var/lib/hestia-fleet/standard-files) before it is replaced for the first time. An
    update of the panel may overwrite a file (setting C(POLICY_SYNC_SKELETON)); running this again replaces it again,
    and what the update brought is what comes back later.
  - A file that cannot be written keeps no other from it. When all others are as wanted, the module fails and names each
    one with its reason; run again, it tries only these.
  - Suspended sites and unassigned addresses show the new page at once. Error pages reach existing sites when these are
    rebuilt, unless the setting C(POLICY_SYNC_ERROR_DOCUMENTS) is C(no); the default page and C(robots.txt) reach new
    sites only.
options:
  files:
    description:
      - Text by name; null for the panel's own. Names are C(error_403), C(error_404), C(error_410), C(error_50x),
        C(index), C(robots), C(suspended) and C(unassigned). A file is at most 256 KiB; C(%domain%) is filled in by the
        panel in what it copies for a new site. What is not named is left alone.
    type: dict
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
- name: An own page for what is not found, the panel's own for suspended sites
  hestia_files:
    files:
      error_404: "<!doctype html><title>Not found</title><h1>There is nothing here</h1>"
      suspended: null
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success, and when some files could not be written
  type: dict
  contains:
    files:
      description: SHA-256 of every named file as it is now; empty when there is no such file.
      type: dict
    refused:
      description: By name of the file, why it could not be written. Only when there is such a file.
      type: dict
    besides:
      description: What went wrong after that, a reload for example.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: []
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
"""

from ansible.module_utils.hestia_converge import run_module
from ansible.module_utils.hestia_files import OPTIONS, StandardFiles


def main() -> None:
    run_module(StandardFiles, OPTIONS)


if __name__ == "__main__":
    main()
