"""A test e-mail: whether the e-mail settings work, in the mail server's own words."""

from __future__ import annotations

import secrets

from controller.engine.fleet import Fleet
from controller.engine.mail_options import mail_options
from controller.engine.post import Mail, SendError, send_mail
from controller.operations.errors import Refused
from controller.operations.fields import Fields
from controller.operations.records import audit
from controller.store.vault import VaultError

TEXT = "This is a test of the e-mail settings of Hestia Fleet. If you can read it, they work."


def send_test_mail(fleet: Fleet, actor: str, to: str) -> str:
    """Send a test e-mail now; returns in words that the mail server has taken it.

    Raises Invalid for a bad address, and Refused with the mail server's answer when it could not be sent.
    """
    fields = Fields()
    to = fields.email("to", to)
    fields.finish()
    failure = ""
    try:
        with fleet.database.read() as session:
            options = mail_options(session, fleet.vault)
        mail = Mail(key=secrets.token_hex(16), to=[to], subject="Hestia Fleet: test e-mail", text=TEXT)
        # Nothing is open in the database while the mail server takes its time.
        send_mail(mail, options, fleet.settings.public_url)
    except (SendError, VaultError) as problem:
        failure = str(problem)
    words = failure or f"{options.host} has taken the e-mail"
    with fleet.database.write() as session:
        audit(session, actor, "settings.test_mail", to, message=words)
    if failure:
        raise Refused(failure)
    return words
