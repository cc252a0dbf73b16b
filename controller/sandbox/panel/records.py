"""The panel's two file formats, and files that may be on a full disk.

A *record* is one line ``KEY='value' KEY='value' ...``; a *conf* is a file with one ``KEY='value'`` a line.
Nothing here takes a lock, and every change is read, then written: parallel commands lose changes, as on a
real server.
"""

from __future__ import annotations

import os
import re
import sys
import time

_PAIR = re.compile(r"([A-Za-z_]\w*)='(.*?)'(?=\s+[A-Za-z_]\w*='|\s*$)")

Record = dict[str, str]


def words(text: str) -> list[str]:
    """A list of words, written as one text."""
    return text.split()


class Disk:
    """Reading and writing below one server's folder.

    ``full``: writes fail as on a full disk. ``window``: seconds between the read and the write of a change
    (what the real panel's ``grep`` and ``sed`` take), so that parallel commands can meet.
    """

    def __init__(self, full: bool = False, window: float = 0.0) -> None:
        self.full = full
        self.window = window

    def _no_room(self, path: str) -> None:
        sys.stderr.write(f"{path}: write error: No space left on device\n")

    def read(self, path: str) -> str:
        """Text of a file, "" if there is none."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def lines(self, path: str) -> list[str]:
        return [line for line in self.read(path).split("\n") if line]

    def write(self, path: str, text: str, mode: int = 0o660) -> None:
        """Like a shell's ``> file``: on a full disk the file is left empty."""
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            if self.full:
                self._no_room(path)
            else:
                file.write(text)
        os.chmod(path, mode)

    def append(self, path: str, text: str) -> None:
        if self.full:
            self._no_room(path)
            return
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def replace(self, path: str, text: str) -> None:
        """Like ``sed -i``: a new file takes the old one's place; on a full disk the old one stays."""
        if self.full:
            self._no_room(path)
            return
        temporary = f"{path}.sed{os.getpid()}"
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        try:
            os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        except FileNotFoundError:
            pass
        os.replace(temporary, path)

    def pause(self) -> None:
        """The moment between reading and writing."""
        if self.window:
            time.sleep(self.window)

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            sys.stderr.write(f"mkdir: cannot create directory ‘{path}’: File exists\n")
        except FileNotFoundError:
            sys.stderr.write(f"mkdir: cannot create directory ‘{path}’: No such file or directory\n")

    def remove(self, path: str) -> None:
        """Remove a file or a whole tree; nothing there is fine."""
        if os.path.isdir(path) and not os.path.islink(path):
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                pass


def parse(line: str) -> Record:
    """One record line as a dict."""
    return dict(_PAIR.findall(line))


def format_record(record: Record) -> str:
    return " ".join(f"{key}='{value}'" for key, value in record.items())


def parse_conf(text: str) -> Record:
    """A conf file as a dict; quotes are optional there."""
    result: Record = {}
    for line in text.split("\n"):
        key, sign, value = line.partition("=")
        if sign and key.strip().replace("_", "a").isalnum():
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == "'":
                value = value[1:-1]
            result[key.strip()] = value.strip("'").strip()
    return result


def format_conf(conf: Record) -> str:
    return "".join(f"{key}='{value}'\n" for key, value in conf.items())


class Table:
    """A file of records, each known by one key (``DOMAIN``, ``ACCOUNT``, ``ID``)."""

    def __init__(self, disk: Disk, path: str, key: str) -> None:
        self.disk = disk
        self.path = path
        self.key = key

    def all(self) -> list[Record]:
        return [parse(line) for line in self.disk.lines(self.path)]

    def count(self) -> int:
        return len(self.disk.lines(self.path))

    def find(self, value: str) -> Record | None:
        wanted = f"{self.key}='{value}'"
        for line in self.disk.lines(self.path):
            if wanted in line:
                return parse(line)
        return None

    def add(self, record: Record) -> None:
        self.disk.append(self.path, format_record(record) + "\n")

    def update(self, value: str, changes: Record) -> None:
        """Change fields of one record; a key that it does not have is put at its end."""
        lines = self.disk.lines(self.path)
        self.disk.pause()
        wanted = f"{self.key}='{value}'"
        for number, line in enumerate(lines):
            if wanted in line:
                lines[number] = format_record(parse(line) | changes)
                break
        self.disk.replace(self.path, "".join(line + "\n" for line in lines))

    def delete(self, value: str) -> None:
        wanted = f"{self.key}='{value}'"
        lines = self.disk.lines(self.path)
        self.disk.pause()
        self.disk.replace(self.path, "".join(line + "\n" for line in lines if wanted not in line))


class Conf:
    """A file with one ``KEY='value'`` a line."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk = disk
        self.path = path

    def all(self) -> Record:
        return parse_conf(self.disk.read(self.path))

    def get(self, key: str, default: str = "") -> str:
        return self.all().get(key, default)

    def set(self, changes: Record) -> None:
        """Change values of keys that are there; a key that is not there stays away."""
        conf = self.all()
        self.disk.pause()
        conf.update({key: value for key, value in changes.items() if key in conf})
        self.disk.replace(self.path, format_conf(conf))

    def add_to(self, key: str, amount: int) -> None:
        """Raise or lower a counter, never below zero."""
        conf = self.all()
        try:
            old = int(conf.get(key, "0") or "0")
        except ValueError:
            old = 0
        self.disk.pause()
        if key in conf:
            conf[key] = str(max(0, old + amount))
            self.disk.replace(self.path, format_conf(conf))
