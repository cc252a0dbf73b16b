"""The DNS templates of a new server: which records a zone gets that is made from one."""

from __future__ import annotations

_NAMESERVERS = [(number, "@", "NS", "", f"%ns{number}%.") for number in range(1, 9)]
_WEB = [
    (9, "@", "A", "", "%ip%"),
    (10, "www", "CNAME", "", "%domain%."),
    (11, "ftp", "CNAME", "", "%domain%."),
]
_DMARC = (16, "_dmarc", "TXT", "", '"v=DMARC1; p=quarantine; pct=100"')
_MAIL = [
    (12, "mail", "A", "", "%ip%"),
    (13, "webmail", "CNAME", "", "mail.%domain%."),
    (14, "@", "MX", "0", "mail.%domain%."),
    (15, "@", "TXT", "", '"v=spf1 a mx ip4:%ip% -all"'),
    _DMARC,
    (17, "_submission._tcp", "SRV", "1", "0 587 mail.%domain%."),
    (18, "_imap._tcp", "SRV", "1", "0 143 mail.%domain%."),
    (19, "_imaps._tcp", "SRV", "1", "0 993 mail.%domain%."),
    (20, "_pop3._tcp", "SRV", "1", "0 110 mail.%domain%."),
    (21, "_pop3s._tcp", "SRV", "1", "0 995 mail.%domain%."),
]


def _hosted(exchanger: str, sender: str) -> list[tuple[int, str, str, str, str]]:
    """Mail at somebody else's."""
    return [(14, "@", "MX", "10", exchanger), (15, "@", "TXT", "", f'"v=spf1 include:{sender} ~all"'), _DMARC]


_TEMPLATES = {
    "default": _NAMESERVERS + _WEB + _MAIL,
    "default-nomail": [*_NAMESERVERS, *_WEB, (15, "@", "TXT", "", '"v=spf1 -all"')],
    "child-ns": [
        *((number, "@", "NS", "", f"ns{number}.%domain%.") for number in (1, 2)),
        *_WEB,
        *_MAIL,
        (22, "ns1", "A", "", "%ip%"),
        (23, "ns2", "A", "", "%ip%"),
    ],
    "gmail": _NAMESERVERS + _WEB + _hosted("smtp.google.com.", "_spf.google.com"),
    "office365": _NAMESERVERS + _WEB + _hosted("mail.protection.outlook.com.", "spf.protection.outlook.com"),
    "zoho": _NAMESERVERS + _WEB + _hosted("mx.zoho.com.", "zoho.com"),
}


def template_texts() -> dict[str, str]:
    """Template name -> the file's text."""
    return {
        name: "".join(
            f"ID='{number}' RECORD='{record}' TYPE='{kind}' PRIORITY='{priority}' VALUE='{value}'"
            " SUSPENDED='no' TIME='%time%' DATE='%date%'\n"
            for number, record, kind, priority, value in rows
        )
        for name, rows in _TEMPLATES.items()
    }
