"""Every setting of a panel (its ``hestia.conf``): whom it concerns, what it may be, and how it is really applied.

``v-change-sys-config-value`` only rewrites a line of that file. For some settings this is all there is to do, because
the panel reads the line each time; others stand for something the panel has built (a port, an alias in the web
server, an installed program), and a new line alone would only be a wrong label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Tier(StrEnum):
    """Which servers a setting concerns: all, or those with the capability of this name."""

    ALL = "all"
    WEB = "web"
    MAIL = "mail"
    DNS = "dns"


class Kind(StrEnum):
    """What a value is, and so which field a form shows."""

    CHOICE = "choice"
    NUMBER = "number"
    TEXT = "text"
    EMAIL = "email"
    ADDRESSES = "addresses"


VALUE = "value"
"""The panel reads the line whenever it needs it."""
READ_ONLY = "read_only"
"""Tells what the server has; never pushed."""

YES_NO: Mapping[str, str] = {"yes": "Yes", "no": "No"}
TRUE_FALSE: Mapping[str, str] = {"true": "Yes", "false": "No"}
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "az": "Azerbaijani",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "ko": "Korean",
    "ku": "Kurdish",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-br": "Portuguese (Brazil)",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh-cn": "Chinese (simplified)",
    "zh-tw": "Chinese (traditional)",
}
_PATH = r"(?!(?:error|vstats|webmail)$)[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*"
_PATH_WORDS = "letters and digits, single - or _ between them; not error, vstats or webmail"


@dataclass(frozen=True)
class ConfigKey:
    """One setting. ``how`` is ``value``, ``read_only`` or the word of a way of its own that the module knows."""

    key: str
    tier: Tier
    title: str
    explanation: str
    kind: Kind = Kind.TEXT
    how: str = VALUE
    choices: Mapping[str, str] = field(default_factory=dict)
    """Allowed values, each with the words a form shows for it."""
    minimum: int = 0
    maximum: int = 0
    """Bounds of a number, or of the length of a text."""
    pattern: str = ""
    pattern_words: str = ""
    unit: str = ""
    secret: bool = False
    """Its value is never shown."""

    @property
    def managed(self) -> bool:
        """Whether a group can set it."""
        return self.how != READ_ONLY


def _choice(
    key: str, tier: Tier, title: str, explanation: str, choices: Mapping[str, str] = YES_NO, how: str = VALUE
) -> ConfigKey:
    return ConfigKey(key, tier, title, explanation, Kind.CHOICE, how, choices)


def _number(
    key: str,
    tier: Tier,
    title: str,
    explanation: str,
    bounds: tuple[int, int],
    how: str = VALUE,
    unit: str = "",
) -> ConfigKey:
    return ConfigKey(key, tier, title, explanation, Kind.NUMBER, how, minimum=bounds[0], maximum=bounds[1], unit=unit)


def _text(key: str, tier: Tier, title: str, explanation: str, maximum: int = 120) -> ConfigKey:
    return ConfigKey(key, tier, title, explanation, minimum=1, maximum=maximum)


def _fact(key: str, tier: Tier, title: str, explanation: str, *, secret: bool = False) -> ConfigKey:
    return ConfigKey(key, tier, title, explanation, how=READ_ONLY, secret=secret)


_LOOK = (
    _choice(
        "LANGUAGE", Tier.ALL, "Language", "Language of the panel for whoever has not chosen one.", LANGUAGES, "language"
    ),
    _choice(
        "THEME",
        Tier.ALL,
        "Theme",
        "Look of the panel for whoever has not chosen one.",
        {"dark": "Dark", "default": "Default (light)", "flat": "Flat", "vestia": "Vestia"},
    ),
    _choice(
        "POLICY_USER_CHANGE_THEME",
        Tier.ALL,
        "Accounts choose their theme",
        "Whether an account may pick its own theme.",
    ),
    _choice(
        "LOGIN_STYLE",
        Tier.ALL,
        "Login page",
        "Whether the login page asks for name and password one after the other or at once.",
        {"default": "One after the other", "old": "Both at once"},
    ),
    _text(
        "APP_NAME", Tier.ALL, "Name of the panel", "Shown on the login page, in e-mails and in the file manager.", 60
    ),
    _text(
        "TITLE",
        Tier.ALL,
        "Page title",
        "Title of every page; {{page}}, {{hostname}} and {{appname}} are filled in.",
    ),
    _choice("HIDE_DOCS", Tier.ALL, "Hide help links", "Whether the links to HestiaCP’s documentation are hidden."),
)
_SENDER = (
    _text(
        "FROM_NAME", Tier.ALL, "Sender name", "Who the panel’s e-mails are from; the name of the panel if not set.", 60
    ),
    ConfigKey(
        "FROM_EMAIL",
        Tier.ALL,
        "Sender address",
        "Address the panel’s e-mails are from; noreply@ the server’s name if not set.",
        Kind.EMAIL,
        minimum=3,
        maximum=254,
    ),
    _text(
        "SUBJECT_EMAIL",
        Tier.ALL,
        "Subject of e-mails",
        "Subject of the panel’s e-mails; {{subject}}, {{hostname}} and {{appname}} are filled in.",
    ),
    _fact(
        "USE_SERVER_SMTP",
        Tier.ALL,
        "Panel sends through another server",
        "Set together with the server’s address and password by v-add-sys-smtp.",
    ),
    _fact("SERVER_SMTP_HOST", Tier.ALL, "Panel’s SMTP server", "Set by v-add-sys-smtp together with the password."),
    _fact("SERVER_SMTP_PORT", Tier.ALL, "Panel’s SMTP port", "Set by v-add-sys-smtp together with the password."),
    _fact(
        "SERVER_SMTP_SECURITY", Tier.ALL, "Panel’s SMTP encryption", "Set by v-add-sys-smtp together with the password."
    ),
    _fact("SERVER_SMTP_USER", Tier.ALL, "Panel’s SMTP user", "Set by v-add-sys-smtp together with the password."),
    _fact(
        "SERVER_SMTP_PASSWD",
        Tier.ALL,
        "Panel’s SMTP password",
        "Not managed: v-add-sys-smtp takes it on its command line, where every process of the server could read it.",
        secret=True,
    ),
    _fact("SERVER_SMTP_ADDR", Tier.ALL, "Panel’s SMTP sender", "Set by v-add-sys-smtp together with the password."),
)
_SECURITY = (
    _number(
        "INACTIVE_SESSION_TIMEOUT",
        Tier.ALL,
        "Idle time",
        "How long a login lasts without a click.",
        (1, 10_080),
        unit="minutes",
    ),
    _choice(
        "DISABLE_IP_CHECK",
        Tier.ALL,
        "Logins survive a change of address",
        "If no, whoever comes from another address than at login has to log in again.",
    ),
    _choice(
        "POLICY_CSRF_STRICTNESS",
        Tier.ALL,
        "Protection against foreign forms",
        "How strictly the panel checks that a form was sent from its own pages.",
        {"0": "Off", "1": "Enabled", "2": "Strict"},
    ),
    _choice(
        "POLICY_SYSTEM_PASSWORD_RESET",
        Tier.ALL,
        "Password reset by e-mail",
        "Whether the login page offers to reset a forgotten password.",
    ),
    _choice(
        "POLICY_SYSTEM_PROTECTED_ADMIN",
        Tier.ALL,
        "Administrator’s account is protected",
        "If yes, other administrators cannot open or change the account of the first one.",
    ),
    _choice(
        "POLICY_SYSTEM_HIDE_ADMIN",
        Tier.ALL,
        "Administrator’s account is hidden",
        "Whether other administrators see the account of the first one.",
    ),
    _choice(
        "POLICY_SYSTEM_HIDE_SERVICES",
        Tier.ALL,
        "Services are hidden",
        "If yes, only the first administrator sees the services and settings of the server.",
    ),
    _choice(
        "API_SYSTEM",
        Tier.ALL,
        "API with access keys",
        "Who may use the panel’s API with access keys. Opening it also switches on the panel’s API page if it is off.",
        {"0": "Nobody", "1": "Administrator", "2": "All accounts"},
        "api",
    ),
    _choice(
        "API",
        Tier.ALL,
        "API with passwords (old)",
        "The administrator’s API by password or hash. Opening it also switches on the panel’s API page if it is off.",
        how="api",
    ),
    ConfigKey(
        "API_ALLOWED_IP",
        Tier.ALL,
        "API from addresses",
        "IP addresses that may use the API, separated by commas, or allow-all.",
        Kind.ADDRESSES,
        minimum=1,
        maximum=2000,
    ),
    _number(
        "BACKEND_PORT",
        Tier.ALL,
        "Port of the panel",
        "Applied with v-change-sys-port: the panel’s web server, webmail’s password change and the panel’s firewall "
        "follow. Links to the panel with the old port stop working.",
        (1024, 65_535),
        "panel_port",
    ),
    _fact(
        "DEMO_MODE",
        Tier.ALL,
        "Demonstration mode",
        "A panel in this mode refuses changes; it is left by hand on the server.",
    ),
    _fact("ROOT_USER", Tier.ALL, "First administrator", "Chosen when the panel was installed."),
    _fact("FIREWALL_SYSTEM", Tier.ALL, "Firewall", "Installed and removed with v-add-sys-firewall."),
    _fact("FIREWALL_EXTENSION", Tier.ALL, "Attack blocker", "Installed together with the firewall (fail2ban)."),
)
_ACCOUNTS = (
    _choice(
        "POLICY_USER_EDIT_DETAILS",
        Tier.ALL,
        "Accounts edit their details",
        "Whether an account may change its name and address.",
    ),
    _choice(
        "POLICY_USER_VIEW_LOGS", Tier.ALL, "Accounts see their log", "Whether an account sees what was done in it."
    ),
    _choice("POLICY_USER_DELETE_LOGS", Tier.ALL, "Accounts delete their log", "Whether an account may empty its log."),
    _choice(
        "POLICY_USER_VIEW_SUSPENDED",
        Tier.ALL,
        "Suspended accounts can look",
        "Whether a suspended account may log in and look, without changing anything.",
    ),
    _choice(
        "ENFORCE_SUBDOMAIN_OWNERSHIP",
        Tier.ALL,
        "Subdomains belong to the owner of the domain",
        "If yes, an account cannot add a subdomain of a domain that another account of the server has.",
    ),
)
_BACKUPS = (
    _choice(
        "BACKUP_MODE",
        Tier.ALL,
        "Compression of backups",
        "How new backups are compressed.",
        {"zstd": "zstd", "gzip": "gzip"},
    ),
    _number(
        "BACKUP_GZIP",
        Tier.ALL,
        "Compression level",
        "Higher is smaller and slower: 1 to 9 with gzip, 1 to 19 with zstd.",
        (1, 19),
    ),
    _choice(
        "POLICY_BACKUP_SUSPENDED_USERS",
        Tier.ALL,
        "Back up suspended accounts",
        "Whether the nightly backup includes suspended accounts.",
    ),
    _fact("BACKUP", Tier.ALL, "Folder of backups", "The panel’s commands use /backup whatever is written here."),
    _fact(
        "BACKUP_SYSTEM", Tier.ALL, "Where backups go", "Set up with v-add-backup-host, with the address and password."
    ),
    _fact("BACKUP_INCREMENTAL", Tier.ALL, "Incremental backups", "Set up with v-add-backup-host-restic."),
    _fact("REPOSITORY", Tier.ALL, "Repository of incremental backups", "Set up with v-add-backup-host-restic."),
)
_UPKEEP = (
    _choice(
        "UPGRADE_SEND_EMAIL",
        Tier.ALL,
        "E-mail after updates",
        "Whether the administrator gets an e-mail when the panel was updated.",
        TRUE_FALSE,
    ),
    _choice(
        "UPGRADE_SEND_EMAIL_LOG",
        Tier.ALL,
        "E-mail the log of updates",
        "Whether the administrator gets the log of an update.",
        TRUE_FALSE,
    ),
    _choice(
        "DEBUG_MODE",
        Tier.ALL,
        "Debug mode",
        "The panel writes more into its logs and shows it on its pages.",
        TRUE_FALSE,
    ),
    _choice(
        "POLICY_SYSTEM_ENABLE_BACON",
        Tier.ALL,
        "Experimental features",
        "Whether the panel offers features that are not finished.",
        TRUE_FALSE,
    ),
    _choice(
        "RESOURCES_LIMIT",
        Tier.ALL,
        "Limit processor and memory",
        "Applied with v-add-sys-cgroups and v-delete-sys-cgroups: whether the processor and memory limits of packages "
        "are enforced.",
        how="cgroups",
    ),
    _fact("VERSION", Tier.ALL, "Version of the panel", "Follows the installed package."),
    _fact("RELEASE_BRANCH", Tier.ALL, "Release branch", "Follows what the panel was installed from."),
    _fact("UPDATE_AVAILABLE", Tier.ALL, "Update available", "What the panel found last."),
    _fact("CRON_SYSTEM", Tier.ALL, "Cron service", "What is installed."),
    _fact(
        "DISK_QUOTA",
        Tier.ALL,
        "Disk quota enforced",
        "Switched with v-add-sys-quota, which changes how the disk is mounted and may need a restart of the server.",
    ),
    _fact(
        "WEB_TERMINAL",
        Tier.ALL,
        "Terminal in the browser",
        "Installed with v-add-sys-web-terminal, which adds a package source and Node.js.",
    ),
    _fact("WEB_TERMINAL_PORT", Tier.ALL, "Port of the terminal", "Changed with v-change-sys-web-terminal-port."),
)
_WEB = (
    _choice(
        "POLICY_SYNC_ERROR_DOCUMENTS",
        Tier.WEB,
        "Sites follow new error pages",
        "Whether rebuilding a site replaces its error pages by the server’s. New sites always get the server’s.",
    ),
    _choice(
        "POLICY_SYNC_SKELETON",
        Tier.WEB,
        "Updates renew standard files",
        "Whether an update of the panel puts back its own error pages, default page and suspended page.",
    ),
    _choice(
        "POLICY_USER_EDIT_WEB_TEMPLATES",
        Tier.WEB,
        "Accounts choose web templates",
        "Whether an account may change the web template of its sites.",
    ),
    _choice(
        "PLUGIN_APP_INSTALLER",
        Tier.WEB,
        "Quick app installer",
        "Whether a site offers to install WordPress and the like with one click.",
        TRUE_FALSE,
    ),
    ConfigKey(
        "DB_PMA_ALIAS",
        Tier.WEB,
        "phpMyAdmin’s path",
        "Applied with v-change-sys-db-alias: the web servers’ include is written anew and they are reloaded. "
        "Answers under /path of every site.",
        how="pma_alias",
        minimum=1,
        maximum=40,
        pattern=_PATH,
        pattern_words=_PATH_WORDS,
    ),
    ConfigKey(
        "DB_PGA_ALIAS",
        Tier.WEB,
        "phpPgAdmin’s path",
        "Applied with v-change-sys-db-alias: the web servers’ include is written anew and they are reloaded. "
        "Answers under /path of every site.",
        how="pga_alias",
        minimum=1,
        maximum=40,
        pattern=_PATH,
        pattern_words=_PATH_WORDS,
    ),
    _fact(
        "FILE_MANAGER",
        Tier.WEB,
        "File manager",
        "Installed and removed with v-add-sys-filemanager, which downloads it.",
    ),
    _fact("PLUGIN_FILE_MANAGER", Tier.WEB, "File manager (old)", "Of older panels; no longer read."),
    _fact(
        "PHPMYADMIN_KEY",
        Tier.WEB,
        "phpMyAdmin single sign-on",
        "A secret made by v-add-sys-pma-sso; not managed and never shown.",
        secret=True,
    ),
    _fact("WEB_SYSTEM", Tier.WEB, "Web server", "What is installed."),
    _fact("WEB_BACKEND", Tier.WEB, "PHP", "How PHP is run; what is installed."),
    _fact(
        "WEB_PORT",
        Tier.WEB,
        "Web server’s port",
        "Written into every site when it is built; another value changes none.",
    ),
    _fact(
        "WEB_SSL_PORT",
        Tier.WEB,
        "Web server’s TLS port",
        "Written into every site when it is built; another value changes none.",
    ),
    _fact("WEB_SSL", Tier.WEB, "Web server’s TLS module", "What is installed."),
    _fact("WEB_RGROUPS", Tier.WEB, "Web server’s group", "Written into every site when it is built."),
    _fact("PROXY_SYSTEM", Tier.WEB, "Proxy", "What is installed in front of the web server."),
    _fact(
        "PROXY_PORT", Tier.WEB, "Proxy’s port", "Written into every site when it is built; another value changes none."
    ),
    _fact(
        "PROXY_SSL_PORT",
        Tier.WEB,
        "Proxy’s TLS port",
        "Written into every site when it is built; another value changes none.",
    ),
    _fact("STATS_SYSTEM", Tier.WEB, "Web statistics", "What is installed."),
    _fact("FTP_SYSTEM", Tier.WEB, "FTP server", "What is installed."),
    _fact("DB_SYSTEM", Tier.WEB, "Database servers", "What is installed; added with v-add-database-host."),
)
_MAIL = (
    ConfigKey(
        "WEBMAIL_ALIAS",
        Tier.MAIL,
        "Name of webmail",
        "First part of webmail’s host name: webmail gives webmail.example.com. Every mail domain is built anew and the "
        "web servers are reloaded once; zones need a record of that name.",
        how="webmail_alias",
        minimum=1,
        maximum=40,
        pattern=r"(?!www$)[a-z0-9]+(?:-[a-z0-9]+)*",
        pattern_words="small letters and digits, single hyphens between them; not www",
    ),
    _fact(
        "WEBMAIL_SYSTEM", Tier.MAIL, "Webmail", "What is installed, with v-add-sys-roundcube or v-add-sys-snappymail."
    ),
    _fact("MAIL_SYSTEM", Tier.MAIL, "Mail server", "What is installed."),
    _fact("IMAP_SYSTEM", Tier.MAIL, "IMAP server", "What is installed."),
    _fact(
        "ANTISPAM_SYSTEM",
        Tier.MAIL,
        "Spam filter",
        "What is installed. Another value would only change the name; the mail server would use nothing new.",
    ),
    _fact(
        "ANTIVIRUS_SYSTEM",
        Tier.MAIL,
        "Virus scanner",
        "What is installed. Another value would only change the name; the mail server would use nothing new.",
    ),
    _fact(
        "SMTP_RELAY",
        Tier.MAIL,
        "Mail leaves through a relay",
        "Set by v-add-sys-smtp-relay, with the relay’s password.",
    ),
    _fact("SMTP_RELAY_HOST", Tier.MAIL, "Relay", "Set by v-add-sys-smtp-relay."),
    _fact("SMTP_RELAY_PORT", Tier.MAIL, "Relay’s port", "Set by v-add-sys-smtp-relay."),
    _fact(
        "SMTP_RELAY_USER",
        Tier.MAIL,
        "Relay’s user",
        "Set by v-add-sys-smtp-relay. Not managed: it takes the password on its command line, where every process of "
        "the server could read it.",
    ),
)
_DNS = (
    _choice(
        "POLICY_USER_EDIT_DNS_TEMPLATES",
        Tier.DNS,
        "Accounts choose DNS templates",
        "Whether an account may change the DNS template of its zones.",
    ),
    _choice(
        "SUPPORT_DNSSEC",
        Tier.DNS,
        "Offer DNSSEC",
        "Whether the panel offers to sign zones. It does so only while zones are copied by transfer.",
    ),
    _choice(
        "DNS_CLUSTER_SYSTEM",
        Tier.DNS,
        "How a cluster copies zones",
        "Record by record through the panels’ API, or by zone transfer. Concerns the panel’s own cluster only.",
        {"hestia": "Record by record", "hestia-zone": "By zone transfer"},
    ),
    _fact(
        "DNS_CLUSTER",
        Tier.DNS,
        "Panel’s own DNS cluster",
        "Set up with v-add-remote-dns-host. The fleet writes zones to every nameserver itself and does not need it.",
    ),
    _fact("DNS_SYSTEM", Tier.DNS, "DNS server", "What is installed."),
)

CATALOGUE: tuple[ConfigKey, ...] = (
    *_LOOK,
    *_SENDER,
    *_SECURITY,
    *_ACCOUNTS,
    *_BACKUPS,
    *_UPKEEP,
    *_WEB,
    *_MAIL,
    *_DNS,
)
