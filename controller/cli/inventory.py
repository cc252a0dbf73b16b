"""``inventory``: the fleet as Ansible sees it, and where its playbooks lie."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.console import AsJson, Failed, out, out_json


def inventory(
    folder: Annotated[
        bool, typer.Option("--folder", help="Print the folder with ansible.cfg, playbooks and inventory file instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the fleet as an Ansible inventory (JSON, no secrets); save it as hosts.json to use it."""
    from controller.automation.fleet_inventory import fleet_hosts, yaml_inventory
    from controller.automation.installation import NoInstallation, settings
    from controller.content import content

    if folder:
        out(str(content()))
        return
    try:
        out_json(yaml_inventory(fleet_hosts(settings().server_python)))
    except NoInstallation as problem:
        raise Failed(str(problem)) from None
