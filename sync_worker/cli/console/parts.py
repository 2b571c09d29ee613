"""What the commands of the console use."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.cli.options import actor
from sync_worker.services.access.access import Access, access_over
from sync_worker.services.access.who import COMMAND, Who
from sync_worker.wiring import wiring
from sync_worker.wiring.console import owner_rules
from sync_worker.wiring.console_entry import public_url


def access() -> Access:
    """Over the ledger of this command."""
    parts = wiring()
    return access_over(parts.admin.transactions, owner_rules(parts.settings))


def console_url() -> str:
    """Where people open the console. Raises Misconfigured."""
    return public_url(wiring().settings)


def somebody() -> Who:
    """Whoever gives the command, for the audit."""
    return replace(COMMAND, name=actor())
