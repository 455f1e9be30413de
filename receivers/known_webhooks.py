"""All webhooks, in memory and as current as rights are: a change of one raises the version of rights."""

import logging
from typing import Any

from django.db import transaction
from django.db.models import signals

from gateway import encryption
from gateway.identity.principals import Principal, directory
from gateway.models import RightsVersion
from ledger.reader import reader
from receivers.models import MAPPED, WEBHOOKS_LIMIT, Webhook
from receivers.webhooks.expressions import BadExpression, compiled
from receivers.webhooks.mapping import Hook

logger = logging.getLogger(__name__)

_PURPOSE = b"vx11 secrets of received webhooks 1"
DEFAULT_MODULE = "operator_backend"


class KnownWebhooks:
    """The rows that are enabled, by name, as of a version of rights."""

    def __init__(self) -> None:
        self._version = -1
        self._hooks: dict[str, Hook] = {}

    async def named(self, name: str) -> Hook | None:
        """None if there is none, or it is disabled. Raises LedgerUnavailable."""
        version = (await directory.current()).version
        if version != self._version:
            # The rows are read after the version: one that was changed in between is read again with the next.
            self._hooks = await reader.run(_read)
            self._version = version
        return self._hooks.get(name)


def _read() -> dict[str, Hook]:
    rows = Webhook.objects.filter(enabled=True)[:WEBHOOKS_LIMIT]
    return {row.name: hook_of(row) for row in rows}


def hook_of(row: Webhook) -> Hook:
    """The row as requests need it. An unreadable secret is none: then nothing is taken."""
    secret = ""
    if row.secret:
        try:
            secret = encryption.decrypt(row.secret, purpose=_PURPOSE)
        except encryption.Unreadable as error:
            logger.warning("webhook %s: %s", row.name, error)
    expressions = {}
    for name in MAPPED:
        if text := getattr(row, name).strip():
            try:
                expressions[name] = compiled(text)
            except BadExpression:
                # It was checked when it was saved; another version of jmespath reads it in another way.
                logger.warning("webhook %s: the expression of %s cannot be read", row.name, name)
    return Hook(row.name, row.signature, public_id_of(row), row.own_module, secret, expressions)


def encrypted(secret: str) -> str:
    return encryption.encrypt(secret, purpose=_PURPOSE)


def public_id_of(row: Webhook) -> str:
    """The publisher of its events; ids of tokens begin with other letters."""
    return f"hook-{row.pk}"


def principal_of(hook: Hook) -> Principal:
    """A webhook whose sender is proven publishes, and does nothing else."""
    return Principal(
        public_id=hook.public_id,
        kind="service",
        name=hook.name,
        scopes=frozenset({"events:publish"}),
        publishes_for=hook.own_module or None,
        default_module=hook.own_module or DEFAULT_MODULE,
    )


def connect() -> None:
    """Call changed() for whatever changes a row in this process."""
    for signal in (signals.post_save, signals.post_delete):
        signal.connect(changed, sender=Webhook, dispatch_uid="receivers.webhooks.changed")


def changed(**kwargs: Any) -> None:
    """Every process reads the rows again: this one at once, others within a second."""
    RightsVersion.bump()
    transaction.on_commit(directory.expire)


known = KnownWebhooks()
