"""What all accounts use, read from the panel's files: right, fast, and not stopped by a broken account."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.hestia_panel import Panel
from ansible.module_utils.hestia_usage import usage

from controller.sandbox import layout

WEB = (
    "DOMAIN='{}' IP='192.0.2.11' IP6='' CUSTOM_DOCROOT='' ALIAS='www.acme.test,cdn.acme.test' TPL='default' SSL='no' "
    "FTP_USER='acme_one:acme_two' FTP_MD5='$y$j9T$IzZighM.EkSJLmcKixB.g1$A7:$y$j9T$but' PROXY='default' "
    f"PROXY_EXT='{','.join(f'ext{number}' for number in range(90))}' U_DISK='12' U_BANDWIDTH='100' SUSPENDED='no'\n"
)
MAIL = "DOMAIN='{}' ANTIVIRUS='no' DKIM='yes' CATCHALL='' ACCOUNTS='9' U_DISK='3' SUSPENDED='no'\n"
ZONE = "DOMAIN='{}' IP='192.0.2.11' TTL='14400' SOA='ns1' SERIAL='2026112201' RECORDS='14' SUSPENDED='no'\n"


def make_account(root: Path, name: str) -> Path:
    folder = root / layout.HESTIA / "data/users" / name
    (folder / "mail").mkdir(parents=True)
    domain = f"{name}.test"
    lines = ["NAME='Acme'", "PACKAGE='gold'", "ROLE='user'", "SUSPENDED='no'", "DISK_QUOTA='1000'", "WEB_DOMAINS='3'"]
    lines += ["BANDWIDTH='unlimited'", "U_DISK='30'", "U_DISK_WEB='24'", "U_DISK_MAIL='3'", "U_BANDWIDTH='200'"]
    lines += [f"KEY_{number}='value'" for number in range(50)] + ["DATE='2026-11-22'"]
    (folder / "user.conf").write_text("\n".join(lines) + "\n")
    (folder / "web.conf").write_text(WEB.format(domain) + WEB.format(f"shop.{domain}"))
    (folder / "mail.conf").write_text(MAIL.format(domain))
    (folder / "mail" / f"{domain}.conf").write_text("ACCOUNT='ann'\nACCOUNT='bob'\n")
    (folder / "dns.conf").write_text(ZONE.format(domain))
    (folder / "cron.conf").write_text("JOB='1' MIN='*'\n")
    (folder / "backup.conf").write_text("BACKUP='a.tar'\nBACKUP='b.tar'\n")
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    layout.build(tmp_path, "server.fleet.test", "192.0.2.11", {"web", "mail", "dns"})
    monkeypatch.setenv("HESTIA", str(tmp_path / layout.HESTIA))
    return tmp_path


def look() -> dict[str, Any]:
    return usage(Panel(check_mode=True))


def test_everything_of_an_account(root: Path) -> None:
    make_account(root, "acme")
    (root / "etc/passwd").open("a").write("acme:x:1002:1002:a@acme.test:/home/acme:/sbin/nologin\n")
    admin, acme = look()["users"][1], look()["users"][0]
    assert (admin["name"], admin["role"], admin["disk"], admin["domains"]) == (
        "admin", "admin", 0, {"web": {}, "mail": {}, "dns": {}},
    )  # fmt: skip
    assert acme == {
        "name": "acme", "package": "gold", "role": "user", "suspended": False,
        "disk": 30, "disk_web": 24, "disk_mail": 3, "disk_db": 0, "bandwidth": 200,
        "web_domains": 2, "web_aliases": 4, "ftp_accounts": 4, "dns_domains": 1, "dns_records": 14,
        "mail_domains": 1, "mail_accounts": 2, "databases": 0, "cron_jobs": 1, "backups": 2, "quota": 1000,
        "limits": {
            "web_domains": 3, "web_aliases": None, "dns_domains": None, "dns_records": None, "mail_domains": None,
            "mail_accounts": None, "databases": None, "cron_jobs": None, "backups": None, "bandwidth": None,
        },
        "domains": {
            "web": {
                "acme.test": {"disk": 12, "bandwidth": 100, "ftp_accounts": 2},
                "shop.acme.test": {"disk": 12, "bandwidth": 100, "ftp_accounts": 2},
            },
            "mail": {"acme.test": {"disk": 3, "accounts": 2}},
            "dns": {"acme.test": 14},
        },
    }  # fmt: skip


def test_broken_accounts_are_named_and_stop_nothing(root: Path) -> None:
    for name in ("acme", "cut", "folder", "nofile", "numbers"):
        make_account(root, name)
    users = root / layout.HESTIA / "data/users"
    (users / "cut/user.conf").write_text("NAME='Acme'\nPACKAGE='go")
    (users / "folder/web.conf").unlink()
    (users / "folder/web.conf").mkdir()
    (users / "nofile/user.conf").unlink()
    (users / "numbers/web.conf").write_bytes(b"DOMAIN='x.test' U_DISK='-' U_BANDWIDTH='\xff\xfe'\n\x00garbage\n'\n")
    names = "".join(f"{name}:x:1:1:a@b.test:/home/{name}:/sbin/nologin\n" for name in ("cut", "folder", "numbers"))
    (root / "etc/passwd").open("a").write(names)
    found = look()
    assert [user["name"] for user in found["users"]] == ["acme", "admin", "numbers"]
    assert found["users"][2]["domains"]["web"] == {"x.test": {"disk": 0, "bandwidth": 0, "ftp_accounts": 0}}
    reasons = {each["name"]: each["reason"] for each in found["broken"]}
    assert reasons["acme"] == "its system user is missing"
    assert "half made" in reasons["cut"] and "half made" in reasons["nofile"]
    assert "cannot be read" in reasons["folder"] and len(reasons) == 4


def test_ten_times_the_accounts_cost_about_ten_times_as_much(root: Path) -> None:
    costs = []
    for number in range(1000):
        make_account(root, f"u{number}")
        if number in (99, 999):
            costs.append(min(_cost(number + 2) for _ in range(3)))
    assert costs[1] < 40 * costs[0]


def _cost(users: int) -> float:
    """Seconds of CPU that a look takes."""
    begin = time.process_time()
    assert len(look()["users"]) == users
    return time.process_time() - begin
