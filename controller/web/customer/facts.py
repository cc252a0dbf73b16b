"""What a customer has to know about a service, read from what its servers reported."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from controller.automation.zone_wishes import nameservers
from controller.domain.words import Capability
from controller.store.models import Account, Resource, Service


@dataclass(frozen=True)
class Certificate:
    """What protects the site: ``none``, ``self-signed``, ``letsencrypt`` or ``custom``."""

    kind: str
    not_after: dt.datetime | None

    @property
    def trusted(self) -> bool:
        """Whether browsers show no warning."""
        return self.kind in ("letsencrypt", "custom")


@dataclass(frozen=True)
class MailServer:
    """One line of a mail program's settings."""

    purpose: str
    host: str
    port: int
    security: str


@dataclass(frozen=True)
class PanelFacts:
    """Everything on the control panel's first page."""

    site: str | None
    site_ip: str | None
    folder: str | None
    certificate: Certificate
    mail_servers: list[MailServer]
    nameservers: list[str]
    accounts: list[Account]


def panel_facts(service: Service) -> PanelFacts:
    """Read from the service's resources; what is not known yet is left out."""
    web, mail = _resource(service, "web.domain"), _resource(service, "mail.domain")
    certificate = _certificate(_resource(service, "web.certificate"))
    site = None
    if Capability.WEB.value in service.roles:
        # Only a trusted certificate is worth sending people to https.
        site = f"{'https' if certificate.trusted else 'http'}://{service.domain_unicode}"
    host = str((mail.facts if mail else {}).get("hostname") or (mail.server.hostname if mail else ""))
    return PanelFacts(
        site=site,
        site_ip=str(web.facts["ip"]) if web and web.facts.get("ip") else None,
        folder=str(web.facts["document_root"]) if web and web.facts.get("document_root") else None,
        certificate=certificate,
        mail_servers=_mail_servers(host) if host and Capability.MAIL.value in service.roles else [],
        nameservers=nameservers(service) if Capability.DNS.value in service.roles else [],
        accounts=list(service.accounts),
    )


def _resource(service: Service, action: str) -> Resource | None:
    return next((resource for resource in service.resources if resource.action == action), None)


def _certificate(resource: Resource | None) -> Certificate:
    facts = resource.facts if resource else {}
    until = None
    if facts.get("not_after"):
        try:
            until = dt.datetime.fromisoformat(str(facts["not_after"]))
        except ValueError:
            until = None
        if until is not None and until.tzinfo is None:
            until = until.replace(tzinfo=dt.UTC)
    return Certificate(str(facts.get("tls") or "none"), until)


def _mail_servers(host: str) -> list[MailServer]:
    return [
        MailServer("Receiving mail (IMAP)", host, 993, "SSL/TLS"),
        MailServer("Receiving mail (POP3)", host, 995, "SSL/TLS"),
        MailServer("Sending mail (SMTP)", host, 465, "SSL/TLS"),
        MailServer("Sending mail (SMTP), other way", host, 587, "STARTTLS"),
    ]
