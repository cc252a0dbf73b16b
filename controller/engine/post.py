"""How one message leaves: an e-mail over SMTP, a webhook call over HTTP. No database here.

Both raise ``SendError`` with words for people; neither puts a secret, or an address that may hold one, into them.
"""

from __future__ import annotations

import contextlib
import json
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import httpx2
from standardwebhooks.webhooks import Webhook as Signer

import controller
from controller.domain.options import MailOptions
from controller.store.base import utcnow

HTTP_SECONDS = 10.0
SMTP_SECONDS = 15.0
LOCAL_DOMAIN = "hestia-fleet.invalid"


class SendError(Exception):
    """It could not be sent; the message says why."""


@dataclass(frozen=True)
class Mail:
    """An e-mail, ready but for how it leaves."""

    key: str
    to: Sequence[str]
    subject: str
    text: str
    thread: str = ""
    """What its mails belong together by."""
    paths: dict[str, str] = field(default_factory=dict)
    """Pages it points to, by what they show."""


def send_mail(mail: Mail, options: MailOptions, public_url: str) -> list[str]:
    """Send one e-mail; returns the recipients that the mail server did not take (not all of them).

    Raises SendError.
    """
    if not options.host:
        raise SendError("no SMTP server is set")
    try:
        message = mail_message(mail, options, public_url)
    except ValueError as problem:
        raise SendError(f"the e-mail cannot be written: {problem}") from None
    try:
        smtp = _connection(options)
        try:
            if options.username:
                smtp.login(options.username, options.password)
            refused = smtp.send_message(message)
            # From here on it is sent, whatever the goodbye is answered with.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()
    except smtplib.SMTPRecipientsRefused as problem:
        raise SendError(f"the mail server takes none of the recipients: {_refusals(problem.recipients)}") from None
    except smtplib.SMTPNotSupportedError as problem:
        raise SendError(f"the mail server cannot do what is asked for: {problem}") from None
    except smtplib.SMTPAuthenticationError as problem:
        raise SendError(f"the mail server refused the login: {_reply(problem.smtp_code, problem.smtp_error)}") from None
    except smtplib.SMTPResponseException as problem:
        raise SendError(f"the mail server refused: {_reply(problem.smtp_code, problem.smtp_error)}") from None
    except (smtplib.SMTPException, OSError, ValueError) as problem:
        raise SendError(f"no connection to the mail server: {problem or type(problem).__name__}") from None
    return [_refusals({address: reply}) for address, reply in refused.items()]


def mail_message(mail: Mail, options: MailOptions, public_url: str) -> EmailMessage:
    """The e-mail as it goes out."""
    sender = options.sender or (options.username if "@" in options.username else "")
    domain = urlsplit(public_url).hostname or sender.rpartition("@")[2] or LOCAL_DOMAIN
    message = EmailMessage()
    message["From"] = f"Hestia Fleet <{sender or f'hestia-fleet@{socket.gethostname()}'}>"
    message["To"] = ", ".join(mail.to)
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = formatdate(localtime=False, usegmt=True)
    message["Message-ID"] = f"<{mail.key}@{domain}>"
    if mail.thread:
        message["References"] = f"<{mail.thread}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    links = [f"{name}: {public_url.rstrip('/')}{path}" for name, path in mail.paths.items()]
    message.set_content("\n".join([mail.text, "", *links, "", "-- ", "Hestia Fleet", ""]))
    return message


def _connection(options: MailOptions) -> smtplib.SMTP:
    # The name is given, because looking it up can take a resolver's whole patience.
    name = socket.gethostname()
    context = ssl.create_default_context()
    if options.security == "tls":
        return smtplib.SMTP_SSL(options.host, options.port, name, timeout=SMTP_SECONDS, context=context)
    smtp = smtplib.SMTP(options.host, options.port, name, timeout=SMTP_SECONDS)
    if options.security == "starttls":
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"


def _refusals(recipients: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address}: {_reply(*reply)}" for address, reply in recipients.items())


@dataclass(frozen=True)
class Call:
    """One call of a webhook."""

    key: str
    url: str
    secret: str = field(repr=False)
    payload: dict[str, Any]


def send_call(client: httpx2.Client, call: Call, public_url: str) -> None:
    """POST a signed JSON body (Standard Webhooks). Raises SendError unless the answer is 2xx."""
    body = call_body(call.payload, public_url)
    now = utcnow()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Hestia-Fleet/{controller.__version__}",
        "webhook-id": call.key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(call.secret).sign(call.key, now, body),
    }
    try:
        # The body of the answer does not matter, so it is not waited for.
        with client.stream("POST", call.url, content=body.encode(), headers=headers) as answer:
            status = answer.status_code
    except httpx2.TimeoutException:
        raise SendError(f"no answer within {HTTP_SECONDS:.0f} s") from None
    except httpx2.HTTPError as problem:
        raise SendError(f"no connection: {problem or type(problem).__name__}") from None
    except (httpx2.InvalidURL, ValueError):
        raise SendError("the address cannot be called") from None
    if 300 <= status < 400:
        raise SendError(f"answered {status}; redirects are not followed")
    if not 200 <= status < 300:
        raise SendError(f"answered {status}")


def call_body(payload: dict[str, Any], public_url: str) -> str:
    """The body as it is signed and sent, with the full address of the page it tells about."""
    data = payload.get("data", {})
    if public_url and "path" in data:
        payload = {**payload, "data": {**data, "url": f"{public_url.rstrip('/')}{data['path']}"}}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def http_client() -> httpx2.Client:
    """For webhook calls."""
    return httpx2.Client(timeout=HTTP_SECONDS, follow_redirects=False)
