"""The stand-in panel: what every ``v-*`` command of a sandbox server runs.

Runs under ``python -I -S`` once per command, so: standard library only, few imports, relative imports only
(the launcher imports this folder as the top-level package ``panel``).
"""
