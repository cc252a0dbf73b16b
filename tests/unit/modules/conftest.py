"""The modules' shared code is found as on a server: below ansible.module_utils."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

_SHARED = str(Path(__file__).parents[3] / "module_utils")
if _SHARED not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_SHARED)
