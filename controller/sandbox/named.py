"""The real named (Debian's bind9) of a stand-in with the dns capability."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

from controller.sandbox.sshd import find_program


def pid_file(root: Path) -> Path:
    return root / "run/named/named.pid"


def write_config(root: Path, port: int, control_port: int) -> None:
    """``/etc/bind`` as on Debian, on a loopback port and with its own rndc key."""
    bind = root / "etc/bind"
    secret = base64.b64encode(os.urandom(32)).decode()
    key = f'key "rndc-key" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n'
    (bind / "rndc.key").write_text(key)
    (bind / "rndc.conf").write_text(
        f'{key}options {{\n\tdefault-key "rndc-key";\n\tdefault-server 127.0.0.1;\n'
        f"\tdefault-port {control_port};\n}};\n"
    )
    for name in ("rndc.key", "rndc.conf"):
        (bind / name).chmod(0o600)
    (bind / "named.conf").write_text(
        f'include "{bind}/named.conf.options";\ninclude "{bind}/named.conf.local";\n'
        f'include "{bind}/named.conf.default-zones";\n'
    )
    (bind / "named.conf.local").write_text("//\n// Do any local configuration here\n//\n")
    (bind / "named.conf.default-zones").write_text("// The stand-in serves only what the panel adds.\n")
    (bind / "named.conf.options").write_text(
        f"""include "{bind}/rndc.key";
controls {{ inet 127.0.0.1 port {control_port} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }}; }};
options {{
\tdirectory "{root}/var/cache/bind";
\tpid-file "{pid_file(root)}";
\tsession-keyfile "{root}/run/named/session.key";
\tlisten-on port {port} {{ 127.0.0.1; }};
\tlisten-on-v6 {{ none; }};
\trecursion no;
\tallow-transfer {{ none; }};
\tdnssec-validation no;
\tempty-zones-enable no;
\tnotify no;
}};
"""
    )


def _program(root: Path) -> str:
    """named's path. AppArmor ties the installed one to /etc/bind, so there a copy runs instead."""
    program = find_program("named", "bind9")
    try:
        armoured = Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        armoured = False
    if not armoured:
        return program
    copy = root / "usr/sbin/named"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, copy)
    return str(copy)


def command(root: Path) -> list[str]:
    """named, that puts itself into the background once it serves."""
    config = str(root / "etc/bind/named.conf")
    return [_program(root), "-n", "1", "-L", str(root / "run/named.log"), "-c", config]


def launch(root: Path) -> None:
    """Start it; RuntimeError with what it said if it does not come up."""
    pid_file(root).unlink(missing_ok=True)
    done = subprocess.run(
        command(root), capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True, check=False
    )
    if done.returncode:
        log = root / "run/named.log"
        said = log.read_text()[-2000:] if log.exists() else ""
        raise RuntimeError(f"named did not start: {done.stderr}{said}")
