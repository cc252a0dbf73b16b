"""System accounts of a stand-in server: passwd, shadow, group, the SFTP jail; all below its own ``/etc``."""

from __future__ import annotations

import os

from .core import Panel
from .secrets import password_hash


def shell_path(panel: Panel, shell: str) -> str:
    """Full path of a login shell by its name; "" if the server does not have it."""
    for line in panel.disk.lines(panel.etc("shells")):
        if not line.startswith("#") and (line == shell or shell in line.split("/")):
            return line
    return ""


def entry(panel: Panel, user: str) -> list[str] | None:
    """The account's passwd line as a list, or None."""
    for line in panel.disk.lines(panel.etc("passwd")):
        if line.startswith(f"{user}:"):
            return line.split(":")
    return None


def add(panel: Panel, user: str, shell: str, comment: str) -> bool:
    """``useradd -m -U``; False when it fails."""
    if panel.disk.full:
        panel.warn("useradd: cannot lock /etc/passwd; try again later.")
        return False
    lines = [line.split(":") for line in panel.disk.lines(panel.etc("passwd"))]
    uid = max([int(line[2]) for line in lines if 1000 <= int(line[2]) < 60000] + [1000]) + 1
    panel.disk.append(panel.etc("passwd"), f"{user}:x:{uid}:{uid}:{comment}:/home/{user}:{shell}\n")
    panel.disk.append(panel.etc("shadow"), f"{user}:!:20000:0:99999:7:::\n")
    panel.disk.append(panel.etc("group"), f"{user}:x:{uid}:\n")
    home = panel.home(user)
    if os.path.isdir(home):
        panel.warn(f"useradd: warning: the home directory /home/{user} already exists.")
        return True
    os.mkdir(home, 0o755)
    for name in (".bash_logout", ".bashrc", ".profile"):
        panel.disk.write(f"{home}/{name}", f"# {name}\n", 0o644)
    return True


def _edit(panel: Panel, file: str, user: str, change: str | None, field: int = -1) -> None:
    """Change one field of the user's line, or drop the line (``change`` None)."""
    lines = panel.disk.lines(panel.etc(file))
    kept = []
    for line in lines:
        if line.startswith(f"{user}:"):
            if change is None:
                continue
            parts = line.split(":")
            parts[field] = change
            line = ":".join(parts)
        kept.append(line + "\n")
    panel.disk.replace(panel.etc(file), "".join(kept))


def remove(panel: Panel, user: str) -> None:
    for file in ("passwd", "shadow", "group"):
        _edit(panel, file, user, None)


def set_password(panel: Panel, user: str, password: str) -> str:
    """``chpasswd``; the new hash."""
    hashed = password_hash(password)
    _edit(panel, "shadow", user, hashed, 1)
    return hashed


def set_comment(panel: Panel, user: str, comment: str) -> None:
    _edit(panel, "passwd", user, comment, 4)


def set_shell(panel: Panel, user: str, shell: str) -> None:
    _edit(panel, "passwd", user, shell, 6)


def lock(panel: Panel, user: str, locked: bool) -> None:
    """``usermod --lock`` and ``--unlock``."""
    for line in panel.disk.lines(panel.etc("shadow")):
        if line.startswith(f"{user}:"):
            hashed = line.split(":")[1].lstrip("!")
            _edit(panel, "shadow", user, "!" + hashed if locked else hashed or "!", 1)


_MARK = "# Hestia SFTP Chroot"


def jailed(panel: Panel) -> list[str]:
    """Who is in the SFTP jail, as sshd_config says."""
    lines = panel.disk.read(panel.etc("ssh/sshd_config")).split("\n")
    for number, line in enumerate(lines):
        if line == _MARK and number + 1 < len(lines) and lines[number + 1].startswith("Match User "):
            return lines[number + 1][len("Match User ") :].split(",")
    return []


def _set_jail(panel: Panel, users: list[str]) -> None:
    path = panel.etc("ssh/sshd_config")
    lines = panel.disk.read(path).split("\n")
    panel.disk.pause()
    for number, line in enumerate(lines):
        if line == _MARK:
            lines[number + 1] = "Match User " + ",".join(users)
    panel.disk.replace(path, "\n".join(lines))


def jail(panel: Panel, user: str) -> None:
    """Put a user without a real shell into the SFTP jail."""
    line = entry(panel, user)
    users = jailed(panel)
    if line and ("nologin" in line[6] or "rssh" in line[6]) and users and user not in users:
        _set_jail(panel, [*users, user])


def unjail(panel: Panel, user: str) -> None:
    users = jailed(panel)
    if user in users:
        _set_jail(panel, [each for each in users if each != user])
