#!/usr/bin/python
# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hestia_web_certificate
short_description: Manage the certificate of a web domain of HestiaCP
description:
  - Gives a web domain without TLS a self-signed certificate, made on the server, so that HTTPS answers.
  - A valid certificate that is there is left alone; an own self-signed one is renewed a week before its end.
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
  days:
    description:
      - Days for which a self-signed certificate is valid.
    type: int
    default: 90
  state:
    description:
      - C(absent) takes TLS away from the domain.
    type: str
    choices: [present, absent]
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
- name: HTTPS until a real certificate comes
  hestia_web_certificate:
    user: customer-com-web
    domain: customer.com
"""

RETURN = r"""
facts:
  description: What later tasks need to know.
  returned: success
  type: dict
  contains:
    tls:
      description: C(self-signed), C(letsencrypt) or C(custom).
      type: str
    not_after:
      description: End of the certificate in UTC.
      type: str
actions:
  description: Panel commands that were run.
  returned: always
  type: list
  elements: str
  sample: [v-add-web-domain-ssl]
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

from ansible.module_utils.hestia_certificate import OPTIONS, WebCertificate
from ansible.module_utils.hestia_converge import run_module


def main() -> None:
    run_module(WebCertificate, OPTIONS)


if __name__ == "__main__":
    main()
