#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_mail_domain
short_description: Manage a mail domain of HestiaCP
description:
  - Creates, changes, suspends and deletes a mail domain with its DKIM key.
  - A domain that a killed command left half made is completed; its mailboxes are kept.
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
  dkim:
    description:
      - Whether outgoing mail is signed.
    type: bool
    default: true
  dkim_bits:
    description:
      - Length of a new key.
    type: int
    choices: [1024, 2048, 4096]
    default: 2048
  antispam:
    description:
      - Whether mail is checked for spam, where the server can.
    type: bool
    default: true
  antivirus:
    description:
      - Whether mail is checked for viruses, where the server can.
    type: bool
    default: true
  state:
    description:
      - A suspended domain takes no mail.
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
- name: Mail with DKIM
  hestia_mail_domain:
    user: customer-com-mail
    domain: customer.com
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    ip:
      description: Public address of the mail server.
      type: str
    hostname:
      description: Full name of the mail server.
      type: str
    dkim_selector:
      description: Selector of the DKIM key.
      type: str
    dkim_public_key:
      description: The p= value of the DKIM record.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-add-mail-domain]
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
from ansible.module_utils.hestia_mail import OPTIONS, MailDomain


def main() -> None:
    run_module(MailDomain, OPTIONS)


if __name__ == "__main__":
    main()
