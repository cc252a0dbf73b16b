"""The OpenSSH server of a stand-in."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from controller.sandbox import processes

_PROGRAM_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def find_program(name: str, package: str) -> str:
    """Full path of a program; RuntimeError names the Debian package to install."""
    for folder in (*_PROGRAM_FOLDERS, *os.environ.get("PATH", "").split(":")):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise RuntimeError(f"the sandbox needs {name}: install Debian's package {package}")


def search_path(hestia: Path) -> str:
    return f"{hestia}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def pid_file(folder: Path) -> Path:
    return folder / "sshd.pid"


def make_key(path: Path, comment: str) -> None:
    """An ed25519 key pair at ``path`` and ``path``.pub."""
    subprocess.run(
        [find_program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _login_is_locked() -> bool:
    """Whether this user's password is locked, which sshd refuses without PAM even for keys."""
    try:
        me = pwd.getpwuid(os.getuid()).pw_name
        for line in Path("/etc/shadow").read_text().splitlines():
            if line.startswith(f"{me}:"):
                return line.split(":")[1].startswith("!")
    except OSError:
        pass
    return False


def write_config(folder: Path, address: str, port: int, hestia: Path) -> None:
    """The server's sshd_config. HOME is its own, so that nobody's shell start-up files run there."""
    # Where sshd can read /etc/shadow it refuses a locked account; with PAM it does not mind.
    pam = "yes" if _login_is_locked() else "no"
    (folder / "sshd_config").write_text(
        f"""ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile {pid_file(folder)}
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM {pam}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
UseDNS no
MaxSessions 100
MaxStartups 100:30:200
LogLevel INFO
Subsystem sftp internal-sftp
SetEnv HESTIA={hestia} HOME={folder}/root/root PATH={search_path(hestia)}
"""
    )


# Stand-ins for other machines share this one's processors with what is being tried on them.
STAND_BACK = ("nice", "-n", "10")


def launch(folder: Path) -> None:
    """Start sshd in the background; it writes its pid file by itself."""
    if os.getuid() == 0:
        # Where sshd's unprivileged half lives when root runs it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    pid_file(folder).unlink(missing_ok=True)
    program = find_program("sshd", "openssh-server")
    subprocess.run(
        [*STAND_BACK, program, "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def sessions(listener: int) -> list[int]:
    """Processes of sshd that serve open connections (not the commands that run in them)."""
    found: list[int] = []
    waiting = processes.children(listener)
    while waiting:
        pid = waiting.pop()
        if processes.command_line(pid).startswith("sshd"):
            found.append(pid)
            waiting += processes.children(pid)
    return found
