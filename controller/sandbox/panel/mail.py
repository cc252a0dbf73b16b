"""Mail domains and mailboxes."""

from __future__ import annotations

import os

from . import checks, vhosts
from .core import E_ARGS, E_EXISTS, E_INVALID, E_NOTEXIST, Panel, Stop
from .names import to_ascii
from .nameserver import run, tool
from .records import Record, words
from .secrets import mail_hash
from .show import escape, fields, json_objects, plain
from .web import clean_domain, local_ip, restart

_ALL = words(
    "ANTIVIRUS ANTISPAM REJECT RATE_LIMIT DKIM CATCHALL ACCOUNTS U_DISK SSL SUSPENDED TIME DATE WEBMAIL_ALIAS WEBMAIL"
)
_ONE = words(
    "ANTIVIRUS ANTISPAM DKIM CATCHALL ACCOUNTS RATE_LIMIT REJECT U_DISK SSL LETSENCRYPT SUSPENDED TIME "
    "DATE WEBMAIL_ALIAS WEBMAIL U_SMTP_RELAY U_SMTP_RELAY_HOST U_SMTP_RELAY_PORT U_SMTP_RELAY_USERNAME"
)
_ACCOUNTS = words("ALIAS FWD FWD_ONLY AUTOREPLY QUOTA U_DISK SUSPENDED TIME DATE")
_ACCOUNT = words("ALIAS FWD FWD_ONLY AUTOREPLY QUOTA RATE_LIMIT U_DISK SUSPENDED TIME DATE WEBMAIL_ALIAS")


def _own(panel: Panel, user: str, domain: str, user_active: bool = True, domain_active: bool = True) -> Record:
    """The user's mail domain, or exit 3, 5 or 11."""
    checks.enabled(panel, "MAIL_SYSTEM")
    checks.user_exists(panel, user)
    if user_active:
        checks.user_active(panel, user)
    record = checks.require(panel, panel.mails(user), domain, "mail domain")
    if domain_active:
        checks.active(panel, record, "mail", domain)
    return record


def _address(panel: Panel, user: str, domain: str) -> str:
    """The address that mail leaves from: that of the web domain by this name, else the user's first."""
    web = panel.webs(user).find(domain)
    return local_ip(panel, web["IP"]) if web else checks.user_ip(panel, user, "")[1]


def _make_key(panel: Panel, user: str, domain: str, bits: str) -> None:
    """A real RSA key pair, private one in .pem and public one in .pub."""
    if panel.disk.full:
        panel.disk.write(panel.user_data(user, "mail", f"{domain}.pem"), "")
        return
    pem, pub = (panel.user_data(user, "mail", f"{domain}.{ending}") for ending in ("pem", "pub"))
    run(tool("openssl"), "genrsa", "-out", pem, bits)
    run(tool("openssl"), "rsa", "-pubout", "-in", pem, "-out", pub)
    for path in (pem, pub):
        os.chmod(path, 0o660)


def _public_key(panel: Panel, user: str, domain: str) -> str:
    lines = panel.disk.lines(panel.user_data(user, "mail", f"{domain}.pub"))
    return "".join(line for line in lines if "KEY-----" not in line)


def _publish_key(panel: Panel, user: str, domain: str) -> None:
    """The DKIM record, when the user has the zone on this same server."""
    if panel.system.get("DNS_SYSTEM") and panel.zones(user).find(domain):
        value = f'"v=DKIM1\\; k=rsa\\; p={_public_key(panel, user, domain)}"'
        panel.call("v-add-dns-record", user, domain, "mail._domainkey", "TXT", value, "", "", "yes", "", "yes")


def _unpublish_key(panel: Panel, user: str, domain: str) -> None:
    if not panel.system.get("DNS_SYSTEM"):
        return
    for row in panel.dns_records(user, domain).all():
        if row.get("RECORD") in ("mail._domainkey", "_domainkey"):
            panel.call("v-delete-dns-record", user, domain, row["ID"], "", "yes")


def add_mail_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    antispam, antivirus, dkim = (panel.arg(3, "yes"), panel.arg(4, "yes"), panel.arg(5, "yes"))
    bits, how, reject = panel.arg(6) or "2048", panel.arg(7), panel.arg(8, "no")
    panel.usage(2, "USER DOMAIN [ANTISPAM] [ANTIVIRUS] [DKIM] [DKIM_SIZE] [RESTART] [REJECT_SPAM]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    for value, what in ((antispam, "antispam"), (antivirus, "antivirus"), (dkim, "dkim"), (reject, "reject")):
        checks.boolean_format(panel, value, what)
    checks.int_format(panel, bits, "")
    checks.restart_format(panel, how)
    checks.enabled(panel, "MAIL_SYSTEM")
    checks.user_exists(panel, user)
    checks.user_active(panel, user)
    checks.domain_new(panel, user, "mail", domain)
    if checks.is_ip4(domain):
        panel.say("Error: Invalid domain format. IP address detected as input.")
        raise Stop(E_ARGS)
    checks.limit(panel, user, "MAIL_DOMAINS", panel.mails(user).count())
    checks.base_owner(panel, user, domain)
    if not panel.system.get("ANTISPAM_SYSTEM"):
        antispam = reject = "no"
    if not panel.system.get("ANTIVIRUS_SYSTEM"):
        antivirus = "no"
    record = {
        "DOMAIN": domain, "ANTIVIRUS": antivirus, "ANTISPAM": antispam, "REJECT": reject, "DKIM": dkim,
        "WEBMAIL": "", "SSL": "no", "LETSENCRYPT": "no", "CATCHALL": "", "ACCOUNTS": "0",
        "RATE_LIMIT": panel.user_conf(user).get("RATE_LIMIT"), "U_DISK": "0", "SUSPENDED": "no",
        "TIME": panel.time, "DATE": panel.date,
    }  # fmt: skip
    panel.mails(user).add(record)
    panel.disk.append(panel.user_data(user, "mail", f"{domain}.conf"), "")
    panel.point("record", 0.1)
    if dkim == "yes":
        _make_key(panel, user, domain, bits)
    panel.point("key", 0.35)
    panel.disk.mkdir(panel.home(user, "conf/mail", domain), 0o771)
    panel.disk.mkdir(panel.home(user, "mail", to_ascii(domain)), 0o770)
    _write_config(panel, user, record)
    panel.point("config", 0.45)
    if dkim == "yes":
        _publish_key(panel, user, domain)
    if panel.system.get("WEB_SYSTEM") and panel.system.get("IMAP_SYSTEM"):
        _add_webmail(panel, user, domain)
    panel.point("webmail", 0.6)
    panel.user_conf(user).add_to("U_MAIL_DOMAINS", 1)
    if dkim == "yes":
        panel.user_conf(user).add_to("U_MAIL_DKIM", 1)
    panel.point("counters", 0.65)
    restart(panel, how, "web", "proxy")
    panel.history(user, "Mail", f"Added new mail domain ({domain}).")
    panel.log(0)


def _write_config(panel: Panel, user: str, record: Record) -> None:
    """The files that exim and dovecot read, from the panel's records."""
    domain = record["DOMAIN"]
    folder = panel.home(user, "conf/mail", domain)
    os.makedirs(folder, exist_ok=True)
    passwd, accounts, aliases, limits, only = "", "", "", "", ""
    if record.get("CATCHALL"):
        aliases += f"*@{to_ascii(domain)}:{record['CATCHALL']}\n"
    for row in panel.accounts(user, domain).all():
        if row.get("SUSPENDED") == "yes":
            continue
        lines = _account_lines(user, domain, row, record.get("RATE_LIMIT", ""))
        passwd, accounts, limits = passwd + lines[0], accounts + lines[1], limits + lines[2]
        for alias in row.get("ALIAS", "").split(","):
            if alias:
                aliases += f"{alias}@{to_ascii(domain)}:{row['ACCOUNT']}@{to_ascii(domain)}\n"
        if row.get("FWD"):
            aliases += f"{row['ACCOUNT']}@{to_ascii(domain)}:{row['FWD']}\n"
        if row.get("FWD_ONLY") == "yes":
            only += row["ACCOUNT"] + "\n"
    texts = {"passwd": passwd, "accounts": accounts, "aliases": aliases, "limits": limits, "fwd_only": only}
    texts["ip"] = _address(panel, user, domain) + "\n"
    for name, text in texts.items():
        panel.disk.write(f"{folder}/{name}", text)
    for name, key in (("antispam", "ANTISPAM"), ("antivirus", "ANTIVIRUS"), ("reject_spam", "REJECT")):
        panel.disk.remove(f"{folder}/{name}")
        if record.get(key) == "yes":
            panel.disk.write(f"{folder}/{name}", "")
    if record.get("DKIM") == "yes":
        pem = panel.disk.read(panel.user_data(user, "mail", f"{domain}.pem"))
        panel.disk.write(f"{folder}/dkim.pem", pem)
    _link(panel, user, domain, record.get("SUSPENDED") != "yes")


def _link(panel: Panel, user: str, domain: str, there: bool) -> None:
    """Exim knows a domain by its link."""
    link = panel.etc("exim4/domains", to_ascii(domain))
    panel.disk.remove(link)
    if there:
        os.symlink(panel.home(user, "conf/mail", domain), link)


def _account_lines(user: str, domain: str, row: Record, rate: str) -> tuple[str, str, str]:
    """The mailbox's lines in passwd, accounts and limits."""
    name = row["ACCOUNT"]
    quota = "0" if row.get("QUOTA") == "unlimited" else row.get("QUOTA", "0")
    return (
        f"{name}:{row.get('MD5', '')}:{user}:mail::/home/{user}:{quota}:userdb_quota_rule=*:storage={quota}M\n",
        f"{name}:{name}:{user}:mail:/home/{user}\n",
        f"{name}@{to_ascii(domain)}:{row.get('RATE_LIMIT') or rate}\n",
    )


def _webmail_names(panel: Panel, domain: str) -> tuple[str, str]:
    return panel.system.get("WEBMAIL_ALIAS", "webmail"), f"{panel.system.get('WEBMAIL_ALIAS', 'webmail')}.{domain}"


def _add_webmail(panel: Panel, user: str, domain: str, client: str = "") -> None:
    # Without a name it is the last one that is installed.
    client = client or panel.system.get("WEBMAIL_SYSTEM", "").split(",")[-1]
    alias, name = _webmail_names(panel, domain)
    if panel.system.get("DNS_SYSTEM") and panel.zones(user).find(domain):
        # Whatever stood there before becomes an A record.
        for row in panel.dns_records(user, domain).all():
            if row.get("RECORD") == alias:
                panel.call("v-delete-dns-record", user, domain, row["ID"], "no", "yes")
        web = panel.webs(user).find(domain)
        ip = web["IP"] if web else checks.user_ip(panel, user, "")[0]
        panel.call("v-add-dns-record", user, domain, alias, "A", ip, "", "", "no", "", "yes")
    folder = panel.home(user, "conf/mail", domain)
    os.makedirs(folder, exist_ok=True)
    for server in vhosts.servers(panel):
        path = f"{folder}/{server}.conf"
        panel.disk.write(path, f"# {server}: {name} shows {client}\nserver_name {name} mail.{domain};\n", 0o640)
        panel.warn(vhosts.NOISE)
        link = panel.etc(server, "conf.d/domains", f"{name}.conf")
        panel.disk.remove(link)
        os.symlink(path, link)
    panel.mails(user).update(domain, {"WEBMAIL": client})


def _remove_webmail(panel: Panel, user: str, domain: str) -> None:
    alias, name = _webmail_names(panel, domain)
    for server in vhosts.servers(panel):
        panel.disk.remove(panel.home(user, "conf/mail", domain, f"{server}.conf"))
        panel.disk.remove(panel.etc(server, "conf.d/domains", f"{name}.conf"))
    if panel.system.get("DNS_SYSTEM") and panel.zones(user).find(domain):
        for row in panel.dns_records(user, domain).all():
            if row.get("RECORD") == alias:
                panel.call("v-delete-dns-record", user, domain, row["ID"], "yes", "yes")
    panel.mails(user).update(domain, {"WEBMAIL": ""})


def add_mail_domain_webmail(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    client, how = panel.arg(3), panel.arg(4) or "yes"
    panel.usage(2, "USER DOMAIN [WEBMAIL] [RESTART]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.restart_format(panel, how)
    checks.enabled(panel, "WEB_SYSTEM")
    checks.enabled(panel, "IMAP_SYSTEM")
    if client and client not in [*panel.system.get("WEBMAIL_SYSTEM", "").split(","), "disabled"]:
        panel.fail(E_INVALID, f"{client} type is invalid")
    _own(panel, user, domain)
    _add_webmail(panel, user, domain, client)
    panel.point("record", 0.5)
    if how == "yes":
        restart(panel, how, "web", "proxy")
    panel.log(0)


def delete_mail_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    panel.usage(2, "USER DOMAIN")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    record = _own(panel, user, domain, user_active=False, domain_active=False)
    accounts = panel.accounts(user, domain).count()
    _link(panel, user, domain, False)
    panel.disk.remove(panel.home(user, "conf/mail", domain))
    panel.disk.remove(panel.home(user, "mail", to_ascii(domain)))
    panel.point("config", 0.2)
    if record.get("DKIM") == "yes":
        _unpublish_key(panel, user, domain)
    if panel.system.get("WEB_SYSTEM") and panel.system.get("IMAP_SYSTEM"):
        _remove_webmail(panel, user, domain)
        restart(panel, "yes", "web", "proxy")
    panel.point("webmail", 0.7)
    panel.mails(user).delete(domain)
    panel.point("record", 0.75)
    for ending in ("conf", "pem", "pub"):
        panel.disk.remove(panel.user_data(user, "mail", f"{domain}.{ending}"))
    conf = panel.user_conf(user)
    conf.add_to("U_MAIL_DOMAINS", -1)
    if record.get("DKIM") == "yes":
        conf.add_to("U_MAIL_DKIM", -1)
    conf.add_to("U_MAIL_ACCOUNTS", -accounts)
    if record.get("SUSPENDED") == "yes":
        conf.add_to("SUSPENDED_MAIL", -1)
    panel.history(user, "Mail", f"Mail domain deleted (Domain: {domain}).")
    panel.log(0)


def suspend_mail_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    panel.usage(2, "USER DOMAIN")
    _own(panel, user, domain)
    _link(panel, user, domain, False)
    if panel.system.get("WEB_SYSTEM"):
        _remove_webmail(panel, user, domain)
        restart(panel, "yes", "web", "proxy")
    panel.point("webmail", 0.7)
    panel.mails(user).update(domain, {"SUSPENDED": "yes"})
    _mark_accounts(panel, user, domain, "no", "yes")
    panel.user_conf(user).add_to("SUSPENDED_MAIL", 1)
    panel.history("system", "Mail", f"Suspended mail domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def unsuspend_mail_domain(panel: Panel) -> None:
    user, domain, how = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3, "yes")
    panel.usage(2, "USER DOMAIN [RESTART]")
    record = _own(panel, user, domain, user_active=False, domain_active=False)
    checks.suspended(panel, record, "mail", domain)
    _link(panel, user, domain, True)
    panel.mails(user).update(domain, {"SUSPENDED": "no"})
    _mark_accounts(panel, user, domain, "yes", "no")
    panel.user_conf(user).add_to("SUSPENDED_MAIL", -1)
    panel.point("record", 0.2)
    if panel.system.get("WEB_SYSTEM") and panel.system.get("WEBMAIL_SYSTEM"):
        _add_webmail(panel, user, domain)
        restart(panel, how, "web", "proxy")
    panel.history("system", "Mail", f"Unsuspended mail domain (User: {user}, Domain: {domain}).")
    panel.log(0)


def _mark_accounts(panel: Panel, user: str, domain: str, old: str, new: str) -> None:
    path = panel.user_data(user, "mail", f"{domain}.conf")
    panel.disk.replace(path, panel.disk.read(path).replace(f"SUSPENDED='{old}'", f"SUSPENDED='{new}'"))


def rebuild_mail_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [RESTART]")
    checks.user_exists(panel, user)
    if panel.user_conf(user).get("SUSPENDED") == "yes":
        return
    record = _own(panel, user, domain, domain_active=False)
    os.makedirs(panel.home(user, "mail", to_ascii(domain)), exist_ok=True)
    _write_config(panel, user, record)
    if not record.get("WEBMAIL") and panel.system.get("WEB_SYSTEM") and record.get("SUSPENDED") != "yes":
        _add_webmail(panel, user, domain)
    panel.call("v-update-user-disk", user)
    panel.call("v-update-user-counters", user)
    panel.history("system", "System", f"Rebuilt mail domain (User: {user}, Domain: {domain}).")
    panel.log(0)


# -- DKIM --------------------------------------------------------------------------------------------------


def add_mail_domain_dkim(panel: Panel) -> None:
    user, domain, bits = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3) or "2048"
    panel.usage(2, "USER DOMAIN [DKIM_SIZE]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.int_format(panel, bits, "")
    record = _own(panel, user, domain)
    if record.get("DKIM") not in ("", "no", None):
        panel.fail(E_EXISTS, f"DKIM={record['DKIM']} already exists")
    _make_key(panel, user, domain, bits)
    pem = panel.disk.read(panel.user_data(user, "mail", f"{domain}.pem"))
    panel.disk.write(panel.home(user, "conf/mail", domain, "dkim.pem"), pem)
    panel.point("key", 0.6)
    _publish_key(panel, user, domain)
    panel.mails(user).update(domain, {"DKIM": "yes"})
    panel.user_conf(user).add_to("U_MAIL_DKIM", 1)
    panel.history(user, "Mail", f"DKIM message signing enabled (Domain: {domain}).")
    panel.log(0)


def delete_mail_domain_dkim(panel: Panel) -> None:
    user, domain = panel.arg(1), clean_domain(panel.arg(2))
    panel.usage(2, "USER DOMAIN")
    record = _own(panel, user, domain, user_active=False, domain_active=False)
    if record.get("DKIM") in ("", "no", None):
        panel.fail(E_NOTEXIST, f"DKIM={record.get('DKIM', '')} doesn't exist")
    for ending in ("pem", "pub"):
        panel.disk.remove(panel.user_data(user, "mail", f"{domain}.{ending}"))
    panel.disk.remove(panel.home(user, "conf/mail", domain, "dkim.pem"))
    _unpublish_key(panel, user, domain)
    panel.mails(user).update(domain, {"DKIM": "no"})
    panel.user_conf(user).add_to("U_MAIL_DKIM", -1)
    panel.history(user, "Mail", f"DKIM message signing disabled (Domain: {domain}).")
    panel.log(0)


def list_mail_domain_dkim(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_exists(panel, user)
    checks.require(panel, panel.mails(user), domain, "mail domain")
    pem, pub = (
        panel.disk.read(panel.user_data(user, "mail", f"{domain}.{ending}")).rstrip("\n").replace("\n", "\\n")
        for ending in ("pem", "pub")
    )
    if panel.arg(3) == "json":
        panel.say(f'{{\n\t"{domain}": {{\n        "PEM": "{pem}",\n        "PUB": "{pub}"\n\t}}\n}}')
    else:
        panel.say(f"{pem}\\t{pub}")


def list_mail_domain_dkim_dns(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_exists(panel, user)
    checks.require(panel, panel.mails(user), domain, "mail domain")
    key = _public_key(panel, user, domain) or "DKIM-SUPPORT-IS-NOT-ACTIVATED"
    value = f"v=DKIM1; k=rsa; p={key}"
    if panel.arg(3) == "json":
        space = " " * 12
        panel.say(f'{{\n\n\t"mail._domainkey": {{\n{space}"TTL": "3600",\n{space}"TXT": "\'{value}\'"\n\t}}\n}}')
    else:
        panel.say(f'mail._domainkey\t3600\tIN\tTXT\t"{value}"')


# -- lists -------------------------------------------------------------------------------------------------


def list_mail_domain(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_exists(panel, user)
    record = checks.require(panel, panel.mails(user), domain, "mail domain")
    record = {**record, "WEBMAIL_ALIAS": _webmail_names(panel, domain)[1]}
    if panel.arg(3) == "json":
        json_objects(panel, [(domain, fields(record, _ONE, tight=tuple(_ONE[14:])))], close="        }")
    else:
        keys = words(
            "DOMAIN ANTIVIRUS ANTISPAM DKIM CATCHALL ACCOUNTS U_DISK SSL LETSENCRYPT SUSPENDED TIME DATE "
            "WEBMAIL_ALIAS WEBMAIL"
        )
        panel.say("\t".join(record.get(key, "") for key in keys) + "\t")
        plain(panel, [[record.get(key, "") for key in _ONE[15:]]])


def list_mail_domains(panel: Panel) -> None:
    user = panel.arg(1)
    panel.usage(1, "USER [FORMAT]")
    checks.user_format(panel, user)
    checks.user_exists(panel, user)
    alias = _webmail_names(panel, "")[0]
    rows = [{**row, "WEBMAIL_ALIAS": alias} for row in panel.mails(user).all()]
    if panel.arg(2) == "json":
        json_objects(panel, [(row["DOMAIN"], fields(row, _ALL)) for row in rows])
    else:
        keys = ["ACCOUNTS", "U_DISK", "SUSPENDED", "TIME", "DATE", "WEBMAIL_ALIAS", "WEBMAIL"]
        for row in rows:
            # The panel forgets to fill in the catch-all.
            head = [row.get(key, "") for key in ("DOMAIN", "ANTIVIRUS", "ANTISPAM", "DKIM")]
            glued = row.get("SSL", "") + "$CATCHALL"
            plain(panel, [[*head, glued, *(row.get(key, "") for key in keys)]])


def list_mail_accounts(panel: Panel) -> None:
    user, domain = panel.arg(1), panel.arg(2)
    panel.usage(2, "USER DOMAIN [FORMAT]")
    checks.user_exists(panel, user)
    checks.require(panel, panel.mails(user), domain, "mail domain")
    rows = panel.accounts(user, domain).all()
    if panel.arg(3) == "json":
        json_objects(panel, [(row["ACCOUNT"], fields(row, _ACCOUNTS)) for row in rows])
    else:
        plain(panel, [[row["ACCOUNT"], *(row.get(key, "") for key in _ACCOUNTS)] for row in rows])


def list_mail_account(panel: Panel) -> None:
    user, domain, name = panel.arg(1), panel.arg(2), panel.arg(3)
    panel.usage(3, "USER DOMAIN ACCOUNT [FORMAT]")
    checks.user_exists(panel, user)
    checks.require(panel, panel.mails(user), domain, "mail domain")
    row = checks.require(panel, panel.accounts(user, domain), name, f"{domain} account")
    row = {**row, "WEBMAIL_ALIAS": _webmail_names(panel, domain)[1]}
    if panel.arg(4) == "json":
        json_objects(panel, [(escape(name), fields(row, _ACCOUNT))])
    else:
        plain(panel, [[name, *(row.get(key, "") for key in _ACCOUNT if key != "RATE_LIMIT")]])


# -- mailboxes ---------------------------------------------------------------------------------------------


def add_mail_account(panel: Panel) -> None:
    panel.hidden = 4
    user, domain, name = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3).lower()
    quota = panel.arg(5, "unlimited")
    panel.usage(4, "USER DOMAIN ACCOUNT PASSWORD [QUOTA]")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.account_format(panel, name)
    if quota != "unlimited":
        checks.int_format(panel, quota, "quota")
    record = _own(panel, user, domain)
    table = panel.accounts(user, domain)
    checks.limit(panel, user, "MAIL_ACCOUNTS", table.count())
    if table.find(name):
        panel.fail(E_EXISTS, f"mail account {name} already exists")
    if any(name in row.get("ALIAS", "").split(",") for row in table.all()):
        panel.fail(E_EXISTS, f"mail alias {name} already exists")
    row = {
        "ACCOUNT": name, "ALIAS": "", "AUTOREPLY": "no", "FWD": "", "FWD_ONLY": "",
        "MD5": mail_hash(checks.password_from(panel.arg(4))), "QUOTA": "unlimited" if quota == "0" else quota,
        "U_DISK": "0", "SUSPENDED": "no", "TIME": panel.time, "DATE": panel.date,
    }  # fmt: skip
    lines = _account_lines(user, domain, row, record.get("RATE_LIMIT", ""))
    folder = panel.home(user, "conf/mail", domain)
    for file, line in zip(("passwd", "accounts", "limits"), lines, strict=True):
        panel.disk.append(f"{folder}/{file}", line)
    panel.disk.mkdir(panel.home(user, "mail", to_ascii(domain), name), 0o700)
    panel.point("mailbox", 0.5)
    table.add(row)
    panel.point("record", 0.6)
    panel.user_conf(user).add_to("U_MAIL_ACCOUNTS", 1)
    panel.mails(user).update(domain, {"ACCOUNTS": str(table.count())})
    panel.history(user, "Mail", f"Added new mail account ({name}@{domain}).")
    panel.log(0)


def delete_mail_account(panel: Panel) -> None:
    user, domain, name = panel.arg(1), clean_domain(panel.arg(2)), panel.arg(3)
    panel.usage(3, "USER DOMAIN ACCOUNT")
    checks.user_format(panel, user)
    checks.domain_format(panel, domain)
    checks.account_format(panel, name)
    record = _own(panel, user, domain, user_active=False, domain_active=False)
    table = panel.accounts(user, domain)
    checks.require(panel, table, name, f"{domain} account")
    panel.disk.remove(panel.home(user, "mail", to_ascii(domain), name))
    panel.point("mailbox", 0.4)
    table.delete(name)
    _write_config(panel, user, record)
    panel.user_conf(user).add_to("U_MAIL_ACCOUNTS", -1)
    panel.mails(user).update(domain, {"ACCOUNTS": str(table.count())})
    panel.history(user, "Mail", f"Mail account removed (User: {name}@{domain}).")
    panel.log(0)
