"""Where the console is, and the way in for who starts it. The [console] extra is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.transactions import Transactions
from sync_worker.services.access.people import people_over
from sync_worker.services.access.who import COMMAND, Role

OPERATOR = "operator"  # whom `up` and `demo` let in
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def way_in(settings: Settings, transactions: Transactions) -> Iterator[str]:
    """Where the console is, and a link that lets whoever reads this in: they have the machine."""
    url = public_url(settings)
    yield f"console:               {url}"
    try:
        invited = people_over(transactions).invite(COMMAND, OPERATOR, Role.ADMIN)
    except Misconfigured:
        # Somebody has removed them, or given them another role, on purpose.
        return
    yield f"come in, once, within 15 minutes: {url}/invitation/{invited.secret}"


def public_url(settings: Settings) -> str:
    """CONSOLE_PUBLIC_URL, or where it listens on this machine. Raises Misconfigured.

    Passwords and cookies go over https, or do not leave this machine.
    """
    url = settings.console_public_url.rstrip("/")
    if url.startswith("https://"):
        return url
    host = settings.console_bind.rpartition(":")[0].strip("[]")
    if not url and host not in LOOPBACK:
        raise Misconfigured(
            f"CONSOLE_BIND is {settings.console_bind}, which others reach: set CONSOLE_PUBLIC_URL"
            " to the https address that people open"
        )
    url = url or f"http://{settings.console_bind}"
    parts = urlsplit(url)
    if parts.scheme != "http" or f"{parts.hostname}" not in LOOPBACK:
        raise Misconfigured(
            f"CONSOLE_PUBLIC_URL is {url}: use https, or http at 127.0.0.1 on this machine"
        )
    return url
