#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_usage
short_description: Tell what all accounts of a HestiaCP server use
description:
  - Reads the panel's own files of every account in one go. Changes nothing.
  - Disk and traffic are what the panel counted last, in MB; M(hestia_recount) lets it count anew.
options: {}
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
- name: Collect the usage of all accounts
  hestia_usage:
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    users:
      description: All accounts of the panel with what they use.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the account.
          type: str
        package:
          description: Its package.
          type: str
        role:
          description: Its role in the panel.
          type: str
        suspended:
          description: Whether it is suspended.
          type: bool
        disk:
          description: MB on the disk in all; C(disk_web), C(disk_mail) and C(disk_db) are parts of it.
          type: int
        bandwidth:
          description: MB of web traffic in this month.
          type: int
        web_domains:
          description:
            - Number of web domains; so are C(web_aliases), C(ftp_accounts), C(dns_domains), C(dns_records),
              C(mail_domains), C(mail_accounts), C(databases), C(cron_jobs) and C(backups).
          type: int
        quota:
          description: MB that the account may use; null when there is no limit.
          type: int
        limits:
          description: Most of what is counted, by the same names and C(bandwidth); null when there is no limit.
          type: dict
        domains:
          description:
            - C(web) with C(disk), C(bandwidth) and C(ftp_accounts) of each domain, C(mail) with C(disk) and
              C(accounts), C(dns) with the number of records.
          type: dict
    broken:
      description: Accounts that are half made or cannot be read, with C(name) and C(reason).
      type: list
      elements: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from ansible.module_utils.hestia_converge import Work, run_reading
from ansible.module_utils.hestia_panel import Panel
from ansible.module_utils.hestia_usage import usage


def main() -> None:
    run_reading(prepare, {})


def prepare(panel: Panel, _params: dict[str, object]) -> Work:
    return lambda: {"changed": False, "facts": usage(panel)}


if __name__ == "__main__":
    main()
