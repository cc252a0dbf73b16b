"""A process that has imported Ansible already and forks for every run: an accelerator, never a need.

Started by a worker with the environment that all its runs share (Ansible reads ``ANSIBLE_*`` when it is
imported). ``supervisor.py`` connects over a Unix socket, hands over its standard streams and waits; the fork that
serves it runs the playbook below itself and kills everything when the connection ends. A request whose
``ANSIBLE_*`` differ from this process's own is refused, and the supervisor starts the real command instead.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from controller.automation.supervisor import (
    ACCEPTED,
    HEADER,
    NICE,
    become_subreaper,
    die_with_parent,
    kill_all,
    stand_back,
)

# What differs from run to run and is read when it is used, not when Ansible is imported.
PER_RUN = frozenset({"ANSIBLE_LOCAL_TEMP", "ANSIBLE_CONFIG", "ANSIBLE_CACHE_PLUGIN_CONNECTION"})


def ansible_settings(environment: dict[str, str]) -> dict[str, str]:
    """The part of an environment that must be the same for a run to be forked."""
    return {key: value for key, value in environment.items() if key.startswith("ANSIBLE_") and key not in PER_RUN}


def preload() -> None:
    """Import what every run needs."""
    for name in (
        "cli.playbook",
        "executor.module_common",
        "executor.playbook_executor",
        "executor.process.worker",
        "executor.task_executor",
        "executor.task_queue_manager",
        "module_utils.basic",
        "module_utils.common.arg_spec",
    ):
        importlib.import_module(f"ansible.{name}")
    from ansible.plugins import loader

    # A run asks for this again; that it is there already is what we want.
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")
    loader.init_plugin_loader()
    for kind, names in PLUGINS.items():
        for name in names:
            getattr(loader, f"{kind}_loader").get(name, class_only=True)
    for kind in ("filter", "test"):
        for _ in getattr(loader, f"{kind}_loader").all():
            pass
    # Not callbacks: ansible-runner's reads its folder from the environment when it is imported.
    for kind in ("vars", "cache"):
        for _ in getattr(loader, f"{kind}_loader").all(class_only=True):
            pass


PLUGINS = {
    "action": ("normal", "include_role", "include_tasks", "validate_argument_spec"),
    "become": ("sudo",),
    "connection": ("ssh",),
    "inventory": ("yaml",),
    "shell": ("sh",),
    "strategy": ("linear",),
}
"""Plugins whose code and documentation (Ansible reads options from it) a run needs."""


def serve(path: Path) -> None:
    """Listen until the worker that started this process ends."""
    die_with_parent(signal.SIGKILL)
    preload()
    # Forks are nobody's to wait for; each sets its own handling again.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = ansible_settings(dict(os.environ))
    packed = path.with_name("packed")
    packed.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
        while True:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve_one(line, own, packed)
            line.close()


def _serve_one(line: socket.socket, own: dict[str, str], packed: Path) -> None:
    """In the fork: take the request, run it below this process, answer with the exit code. Never returns."""
    code = 250
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        outlive_server()
        header, streams, _, _ = socket.recv_fds(line, HEADER, 3)
        size = int.from_bytes(header, "big")
        body = b""
        while len(body) < size and (part := line.recv(size - len(body))):
            body += part
        request = json.loads(body)
        if ansible_settings(request["env"]) != own:
            line.sendall(b"-")
            os._exit(0)
        os.setsid()
        become_subreaper()
        stand_back(NICE)
        line.sendall(ACCEPTED)
        runner = os.fork()
        if runner == 0:
            line.close()
            _run(request, streams, packed)
        for stream in streams:
            os.close(stream)
        code = _wait(runner, line)
    except BaseException:
        traceback.print_exc()
    kill_all(spare_masters=True)
    with contextlib.suppress(OSError):
        line.sendall(str(code).encode())
    os._exit(0)


def outlive_server() -> None:
    """A fork outlives the warm server: it ends with its own connection."""
    die_with_parent(0)


def _wait(runner: int, line: socket.socket) -> int:
    """Exit code of the run; killed as soon as the connection ends."""
    watch = os.pidfd_open(runner)
    try:
        readable, _, _ = select.select([watch, line.fileno()], [], [])
        if watch in readable:
            return os.waitstatus_to_exitcode(os.waitpid(runner, 0)[1]) % 256
        kill_all(spare_masters=False)
        return 143
    finally:
        os.close(watch)


def _run(request: dict[str, object], streams: list[int], packed: Path) -> None:
    """In the fork's fork: be ``ansible-playbook``. Never returns."""
    code = 250
    try:
        die_with_parent(signal.SIGKILL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        environment = request["env"]
        assert isinstance(environment, dict) and isinstance(request["args"], list)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(str(request["cwd"]))
        from ansible import constants
        from ansible.cli.playbook import PlaybookCLI

        constants.DEFAULT_LOCAL_TMP = tempfile.mkdtemp(dir=environment["TMPDIR"], prefix="ansible-local-")
        # What Ansible packs a module into is the same for every run; it locks the folder itself.
        Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(packed)
        tempfile.tempdir = environment["TMPDIR"]
        code = 0
        PlaybookCLI.cli_executor(["ansible-playbook", *map(str, request["args"])])
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 250
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            output.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
