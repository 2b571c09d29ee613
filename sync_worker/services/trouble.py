"""One trouble of an installation, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sync_worker.core.said import said


class TroubleKind(StrEnum):
    """Why a rating may not cross now."""

    NO_LEDGER = "no_ledger"
    NO_SITE = "no_site"
    NEVER_COMPARED = "never_compared"
    LEDGER = "ledger"
    MISCONFIGURED = "misconfigured"
    NOTHING_RUNS = "nothing_runs"
    NO_GATEWAY = "no_gateway"
    NO_WORKER = "no_worker"
    NO_SCHEDULER = "no_scheduler"
    REDIS = "redis"
    TWO_INSTALLATIONS = "two_installations"
    PAUSED = "paused"
    ACCOUNTS_LOCKED = "accounts_locked"
    ACCOUNT_PAUSED = "account_paused"
    ACCOUNT_REVOKED = "account_revoked"
    WEBHOOKS_REFUSED = "webhooks_refused"
    ACCOUNT_REFUSED = "account_refused"
    REMOTE_REFUSES = "remote_refuses"
    REMOTE_AWAY = "remote_away"
    HOOKS_DISABLED = "hooks_disabled"
    BUDGET_USED_UP = "budget_used_up"
    DELIVERY_WAITS = "delivery_waits"
    SITE_WORK_FAILS = "site_work_fails"
    CLOCK = "clock"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Trouble:
    """``sentence``: what is wrong; ``since``: seconds since 1970, ``None``: not known.

    ``source``: the external source that it is of, or the instance on Wix; empty: of no one site.
    """

    kind: TroubleKind
    sentence: str
    next_step: str
    since: float | None = None
    source: str = ""


def at(moment: float, now: float) -> str:
    """A moment for people, in UTC: its date only where it is not today's."""
    then, today = datetime.fromtimestamp(moment, UTC), datetime.fromtimestamp(now, UTC)
    if then.date() == today.date():
        return f"{then:%H:%M} UTC"
    return f"{then:%Y-%m-%d %H:%M} UTC"


def since(moment: float | None, now: float) -> str:
    """`` since 20:52 UTC``, or nothing where it is not known."""
    return "" if moment is None else said(" since %(at)s", at=at(moment, now))
