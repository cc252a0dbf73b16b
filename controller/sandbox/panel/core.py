"""One running command: its arguments, its server's paths, its way out."""

from __future__ import annotations

import os
import signal
import sys
import time

from .faulting import Faults, Rule
from .records import Conf, Disk, Table, parse_conf
from .timing import DEFAULT, MEDIANS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

E_ARGS = 1
E_INVALID = 2
E_NOTEXIST = 3
E_EXISTS = 4
E_SUSPENDED = 5
E_UNSUSPENDED = 6
E_INUSE = 7
E_LIMIT = 8
E_PASSWORD = 9
E_FORBIDDEN = 10
E_DISABLED = 11
E_PARSING = 12
E_RESTART = 20


class Stop(Exception):
    """The command ends here with this exit code; what it had to say is already said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Panel:
    """What a command's function gets.

    ``args`` are the command's arguments, ``hidden`` the number (from 1) of the one that logs show as stars.
    ``pace`` is the share of the recorded time to take.
    """

    def __init__(
        self, hestia: str, name: str, args: list[str], faults: Faults, disk: Disk, pace: float, depth: int = 0
    ) -> None:
        self.hestia = hestia
        self.prefix = hestia[: -len("/usr/local/hestia")]
        self.name = name
        self.args = args
        self.faults = faults
        self.disk = disk
        self.pace = pace
        self.depth = depth
        self.hidden = 0
        self.started = time.monotonic()
        self.target = MEDIANS.get(name, DEFAULT)[0]
        self.time = time.strftime("%H:%M:%S")
        self.date = time.strftime("%Y-%m-%d")
        self._system: dict[str, str] | None = None
        self._at_end: Rule | None = None

    # -- arguments and paths ---------------------------------------------------------------------------

    def arg(self, number: int, default: str = "") -> str:
        """Argument by number from 1; "" if it is not given."""
        return self.args[number - 1] if len(self.args) >= number else default

    def data(self, *parts: str) -> str:
        return "/".join((self.hestia, "data", *parts))

    def user_data(self, user: str, *parts: str) -> str:
        return "/".join((self.hestia, "data/users", user, *parts))

    def home(self, user: str, *parts: str) -> str:
        """Path as it is on the disk; ``/home/USER`` in what is printed and written has no prefix."""
        return "/".join((self.prefix, "home", user, *parts)) if parts else f"{self.prefix}/home/{user}"

    def etc(self, *parts: str) -> str:
        return "/".join((self.prefix, "etc", *parts))

    @property
    def system(self) -> dict[str, str]:
        """The server's ``hestia.conf``."""
        if self._system is None:
            self._system = parse_conf(self.disk.read(f"{self.hestia}/conf/hestia.conf"))
        return self._system

    @property
    def root_user(self) -> str:
        return self.system.get("ROOT_USER", "admin")

    def user_conf(self, user: str) -> Conf:
        return Conf(self.disk, self.user_data(user, "user.conf"))

    def webs(self, user: str) -> Table:
        return Table(self.disk, self.user_data(user, "web.conf"), "DOMAIN")

    def mails(self, user: str) -> Table:
        return Table(self.disk, self.user_data(user, "mail.conf"), "DOMAIN")

    def zones(self, user: str) -> Table:
        return Table(self.disk, self.user_data(user, "dns.conf"), "DOMAIN")

    def accounts(self, user: str, domain: str) -> Table:
        return Table(self.disk, self.user_data(user, "mail", f"{domain}.conf"), "ACCOUNT")

    def dns_records(self, user: str, domain: str) -> Table:
        return Table(self.disk, self.user_data(user, "dns", f"{domain}.conf"), "ID")

    def users(self) -> list[str]:
        """Users that lists show: system accounts with an e-mail address and a ``user.conf``, oldest first."""
        order = [line.split(":", 1)[0] for line in self.disk.lines(self.etc("passwd")) if "@" in line]
        return [user for user in order if os.path.isfile(self.user_data(user, "user.conf"))]

    # -- talking ---------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")

    def warn(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def log(self, code: int) -> None:
        """One line in the panel's system.log, or in error.log with the exit code."""
        said = "".join(" '******'" if number == self.hidden else f" '{arg}'" for number, arg in enumerate(self.args, 1))
        line = f"{self.date} {self.time} {self.name} {said}"
        if code:
            self.disk.append(f"{self.hestia}/log/error.log", f"{line} [Error {code}]\n")
        else:
            self.disk.append(f"{self.hestia}/log/system.log", line + "\n")

    def history(self, user: str, category: str, message: str, level: str = "Info") -> None:
        """One line in a user's history, or the server's for ``system``."""
        path = f"{self.hestia}/log/activity.log" if user == "system" else self.user_data(user, "history.log")
        if user != "system" and not os.path.isdir(self.user_data(user)):
            return
        last = self.disk.lines(path)[-1:]
        number = int(last[0].split("'")[1]) + 1 if last else 1
        message = message.replace("'", "´")
        self.disk.append(
            path,
            f"ID='{number}' DATE='{self.date}' TIME='{self.time}' LEVEL='{level}' CATEGORY='{category}'"
            f" MESSAGE='{message}'\n",
        )

    def fail(self, code: int, message: str) -> NoReturn:
        """``Error: message`` on stdout, a line in error.log, and out."""
        self.say(f"Error: {message}")
        self.log(code)
        raise Stop(code)

    def usage(self, count: int, text: str) -> None:
        """Refuse (exit 1) when fewer than ``count`` arguments are given."""
        if len(self.args) < count:
            self.say(f"Usage: {self.name} {text}")
            self.log(E_ARGS)
            raise Stop(E_ARGS)

    # -- time and faults -------------------------------------------------------------------------------

    def pad(self, target: float) -> None:
        """Wait until ``pace`` x ``target`` seconds have passed since the start (outermost command only)."""
        if self.pace and not self.depth:
            rest = self.started + self.pace * target - time.monotonic()
            if rest > 0:
                time.sleep(rest)

    def point(self, name: str, share: float = 0.0) -> None:
        """A named place in the command's work, reached after ``share`` of its time: here faults happen."""
        if share:
            self.pad(self.target * share)
        rule = self.faults.take(self.name, name)
        if rule is not None:
            self.suffer(rule)

    def suffer(self, rule: Rule) -> None:
        sys.stdout.flush()
        if rule.do == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif rule.do == "hang":
            time.sleep(rule.seconds)
        else:
            if rule.message:
                self.say(rule.message)
            self.log(rule.exit_code)
            raise Stop(rule.exit_code)

    def call(self, name: str, *args: str, quiet: bool = False) -> int:
        """Another command from within this one, as the real scripts do; its exit code."""
        from .main import execute

        inner = Panel(self.hestia, name, list(args), self.faults, self.disk, self.pace, self.depth + 1)
        if not quiet:
            return execute(inner)
        import io

        out, sys.stdout = sys.stdout, io.StringIO()
        try:
            return execute(inner)
        finally:
            sys.stdout = out
