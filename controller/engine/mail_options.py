"""The e-mail settings as the engine uses them: with the password in the clear."""

from __future__ import annotations

from sqlalchemy.orm import Session

from controller.domain.options import MailOptions
from controller.store.options import load
from controller.store.vault import Vault


def mail_options(session: Session, vault: Vault) -> MailOptions:
    """How e-mail leaves. Raises VaultError when the stored password was sealed with another key."""
    options = load(session, MailOptions)
    if not options.password:
        return options
    return options.model_copy(update={"password": vault.unseal(options.password)})
