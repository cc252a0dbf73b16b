#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_verify
short_description: Verify many resources of a HestiaCP server in one go
description:
  - Tells which packages, accounts, domains, certificates and zones are not as they should be, and how they differ.
  - It touches nothing, in check mode or not, and takes no lock.
options:
  resources:
    description:
      - What should be there.
    type: list
    elements: dict
    suboptions:
      action:
        description:
          - What the resource is, for example C(web.domain) - the entry point C(domain) of role C(hestia_web).
        type: str
        required: true
      name:
        description:
          - What the result calls it.
        type: str
        required: true
      mark:
        description:
          - Anything; the result repeats it.
        type: str
      options:
        description:
          - The role's variables without their prefix. Passwords are not needed.
        type: dict
        default: {}
  resources_json:
    description:
      - The same list as JSON in one piece of text, which Ansible hands on much faster when there are thousands.
      - Give this or O(resources).
    type: str
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
- name: Is the site as it should be?
  hestia_verify:
    resources:
      - action: web.account
        name: customer-com-web
        options: {user: customer-com-web, package: gold}
      - action: web.domain
        name: customer.com
        options: {user: customer-com-web, domain: customer.com, aliases: [www.customer.com]}
"""

RETURN = r"""
checked:
  description: Number of resources that were looked at.
  returned: success
  type: int
differences:
  description: Those that differ, with C(action), C(name), C(mark) and C(diff).
  returned: success
  type: list
  elements: dict
failures:
  description: Those that could not be verified, with C(action), C(name), C(mark), C(error_class) and C(msg).
  returned: success
  type: list
  elements: dict
facts:
  description:
    - The numbers C(checked), C(different) and C(failed). If there are marks, also all of them as C(looked_at), and
      C(differences) and C(failures).
  returned: success
  type: dict
error_class:
  description: Kind of failure.
  returned: on failure
  type: str
"""

from ansible.module_utils.hestia_verify import OPTIONS, run_verify


def main() -> None:
    run_verify(OPTIONS)


if __name__ == "__main__":
    main()
