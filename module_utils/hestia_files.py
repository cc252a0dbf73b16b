# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Standard files of a web server: error pages, default page, suspended page, page of unassigned addresses.

Before a file is replaced for the first time, the panel's own is kept in a folder of ours that updates of the panel do
not touch, and from there it comes back.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils import hestia_check as check
from ansible.module_utils.hestia_conf import read_text
from ansible.module_utils.hestia_converge import Step
from ansible.module_utils.hestia_failures import Many, as_error
from ansible.module_utils.hestia_panel import RELOADS, Panel, PanelError

OPTIONS: dict[str, Any] = {"files": {"type": "dict", "required": True}}
NAME_OPTIONS: dict[str, Any] = {"name": {"type": "str", "required": True}}
MAX_BYTES = 256 * 1024

# Below the panel's web templates. New sites are copied from skel; suspended ones are served from suspend itself.
_TEMPLATES = {
    "error_403": "skel/document_errors/403.html",
    "error_404": "skel/document_errors/404.html",
    "error_410": "skel/document_errors/410.html",
    "error_50x": "skel/document_errors/50x.html",
    "index": "skel/public_html/index.html",
    "robots": "skel/public_html/robots.txt",
    "suspended": "suspend/index.html",
    "unassigned": "unassigned/index.html",
}
NAMES = tuple(_TEMPLATES)
# Shown from where they lie. nginx keeps files open for a minute and would show the former ones.
_SERVED = frozenset({"suspended", "unassigned"})
_WEB = ("web", "proxy")
# The installer copies the page of unassigned addresses to where the web servers show it; the template shows nowhere.
_UNASSIGNED = ("var", "www", "html", "index.html")


def path_of(panel: Panel, name: str) -> str:
    """Where a standard file lies; what a link points at."""
    if name == "unassigned":
        return os.path.realpath(panel.path(*_UNASSIGNED))
    return os.path.realpath(panel.data("templates", "web", _TEMPLATES[name]))


def checked_name(parameter: str, name: Any) -> str:
    if name not in _TEMPLATES:
        raise check.bad(parameter, f"{name!r} is not a standard file; known are {', '.join(NAMES)}")
    return str(name)


def file_text(panel: Panel, name: str) -> str:
    """The content of a standard file, for people."""
    path = path_of(panel, name)
    shown = panel.shown(path)
    content = _read(path, MAX_BYTES + 1)
    if content is None:
        raise PanelError(f"this server has no {shown}", error_class="not_found")
    if len(content) > MAX_BYTES:
        raise PanelError(f"{shown} is larger than {MAX_BYTES // 1024} KiB", error_class="refused")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise PanelError(f"{shown} is not UTF-8 text", error_class="refused") from None
    if "\0" in text:
        raise PanelError(f"{shown} is not text", error_class="refused")
    return text


@dataclass
class FilesState:
    """Contents by name (None: there is no such file), what is no file there, the names whose original is kept."""

    contents: dict[str, Optional[bytes]] = field(default_factory=dict)
    odd: dict[str, PanelError] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)


class StandardFiles(Many[FilesState]):
    """The standard files that are named; the others are left alone."""

    words = "files could not be written"

    def __init__(self, panel: Panel, params: dict[str, Any]) -> None:
        super().__init__(panel, params)
        self.files: dict[str, Optional[bytes]] = {
            checked_name("files", name): _content(name, value) for name, value in params["files"].items()
        }

    def look(self) -> FilesState:
        state = FilesState()
        for name in self.files:
            path = path_of(self.panel, name)
            if not self.panel.check_mode and _remove(_fresh(path)):
                # Of a module that was killed; new sites would get it.
                self.panel.repair(f"half a file beside {self.panel.shown(path)}")
            try:
                state.contents[name] = _read(path)
            except (PanelError, OSError) as problem:
                state.contents[name], state.odd[name] = None, as_error(problem)
            if os.path.exists(self._kept(name)) or os.path.exists(self._kept_absent(name)):
                state.kept.add(name)
        return self.seen(state)

    def next_step(self, state: FilesState) -> Optional[Step]:
        wrong = [name for name in self.files if name not in self.failures and not self._right(name, state)]
        if self.panel.check_mode and wrong == ["unassigned"] and self.files["unassigned"] is not None:
            self._require_served()
        return Step("write files", lambda: self._write(wrong, state)) if wrong else None

    def describe(self, state: FilesState) -> dict[str, Any]:
        return {
            name: state.odd[name].message
            if name in state.odd
            else _words(state.contents[name], "ours" if name in state.kept else "the panel's own")
            for name in self.files
        }

    def wanted(self, state: FilesState) -> dict[str, Any]:
        words = {}
        for name, content in self.files.items():
            if content is not None:
                words[name] = _words(content, "ours")
            else:
                words[name] = _words(self._own(name, state), "the panel's own")
        return words

    def facts(self, state: FilesState) -> dict[str, Any]:
        return {
            "files": {
                name: "" if content is None else hashlib.sha256(content).hexdigest()
                for name, content in state.contents.items()
            }
        }

    def _right(self, name: str, state: FilesState) -> bool:
        wanted = self.files[name]
        if wanted is None:
            return name not in state.kept
        return state.contents[name] == wanted and name in state.kept

    def _write(self, names: list[str], state: FilesState) -> None:
        caching = [] if _SERVED.isdisjoint(names) else [word for word in _WEB if self._is_nginx(word)]
        self.panel.owe(*caching)
        for name in names:
            try:
                self._write_one(name, state)
            except (PanelError, OSError) as problem:
                # One that cannot be written keeps no other from it.
                self.failures.add(name, problem)
        self.panel.reload(*caching)

    def _write_one(self, name: str, state: FilesState) -> None:
        path, wanted = path_of(self.panel, name), self.files[name]
        if name in state.odd:
            raise state.odd[name]
        if wanted is not None:
            if name == "unassigned":
                self._require_served()
            self._keep(name, state)
            _replace(path, wanted)
            return
        own = self._own(name, state)
        if own is None:
            _remove(path)
        elif own != state.contents[name]:
            _replace(path, own, like=self._kept(name))
        for kept in (self._kept(name), self._kept_absent(name)):
            _remove(kept)

    def _is_nginx(self, word: str) -> bool:
        return self.panel.system(RELOADS[word]) == "nginx"

    # The panel's own

    def _folder(self) -> str:
        return self.panel.path("var", "lib", "hestia-fleet", "standard-files")

    def _kept(self, name: str) -> str:
        return os.path.join(self._folder(), name)

    def _kept_absent(self, name: str) -> str:
        return os.path.join(self._folder(), f"{name}.absent")

    def _own(self, name: str, state: FilesState) -> Optional[bytes]:
        """What the panel's own file is: what lies there if it is ours no longer, else what was kept."""
        if name not in state.kept or self._renewed(name, state):
            return state.contents[name]
        return _read(self._kept(name))

    def _renewed(self, name: str, state: FilesState) -> bool:
        """Whether an update of the panel has put its own file there since."""
        package = os.path.join(self.panel.home_dir, "install", "common", "templates", "web", _TEMPLATES[name])
        return state.contents[name] is not None and state.contents[name] == _read(package)

    def _keep(self, name: str, state: FilesState) -> None:
        """Put what lies there aside, unless it is ours."""
        if name in state.kept and not self._renewed(name, state):
            return
        os.makedirs(self._folder(), mode=0o755, exist_ok=True)
        if state.contents[name] is None:
            _replace(self._kept_absent(name), b"")
            return
        path, fresh = path_of(self.panel, name), f"{self._kept(name)}.new"
        shutil.copy2(path, fresh)
        _same_owner(path, fresh)
        os.replace(fresh, self._kept(name))
        _remove(self._kept_absent(name))

    def _require_served(self) -> None:
        """Fail when the web server would not show the page of unassigned addresses. A proxy before it only asks it."""
        folder, server = f"/{os.path.join(*_UNASSIGNED[:-1])}", self.panel.system("WEB_SYSTEM")
        addresses = self.panel.data("ips")
        for address in sorted(os.listdir(addresses)) if server and os.path.isdir(addresses) else []:
            path = self.panel.path("etc", server, "conf.d", f"{address}.conf")
            if os.path.exists(path) and folder not in read_text(path):
                raise PanelError(
                    f"{self.panel.shown(path)} does not serve {folder}: the page would show nowhere",
                    error_class="refused",
                )


def _content(name: str, value: Any) -> Optional[bytes]:
    if value is None:
        return None
    if not isinstance(value, str):
        raise check.bad(f"files.{name}", "must be text, or null for the panel's own")
    if "\0" in value:
        raise check.bad(f"files.{name}", "must be text")
    try:
        content = value.encode("utf-8")
    except UnicodeEncodeError:
        raise check.bad(f"files.{name}", "must be UTF-8 text") from None
    if len(content) > MAX_BYTES:
        raise check.bad(f"files.{name}", f"is larger than {MAX_BYTES // 1024} KiB")
    return content


def _words(content: Optional[bytes], whose: str) -> str:
    if content is None:
        return "none"
    return f"{whose}, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}"


def _read(path: str, most: int = -1) -> Optional[bytes]:
    """Content of a file; None when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PanelError(f"{path} is not a file", error_class="refused")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


def _fresh(path: str) -> str:
    """Where a file is written before it takes the other's place."""
    return f"{path}.hestia-fleet"


def _remove(path: str) -> bool:
    """Remove a file; False when there is none."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _replace(path: str, content: bytes, like: str = "") -> None:
    """Write a file in one step, with the mode and owner of what is there, else of `like`."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fresh = _fresh(path)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    model = next((each for each in (path, like) if each and os.path.exists(each)), "")
    if model:
        os.chmod(fresh, os.stat(model).st_mode & 0o7777)
        _same_owner(model, fresh)
    else:
        os.chmod(fresh, 0o644)
    os.replace(fresh, path)


def _same_owner(model: str, path: str) -> None:
    if os.geteuid() == 0:
        found = os.stat(model)
        os.chown(path, found.st_uid, found.st_gid)
