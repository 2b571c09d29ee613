"""How a look at a delivery or a link ended, and what an error means for the deliveries in hand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync_worker.core.errors import (
    Held,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unconfirmed,
)
from sync_worker.core.ports.inbox import CREATE_ACCEPTED, RATE_LIMITED, SITE_REMOVED, Closing
from sync_worker.core.values import SiteSide

# Between two looks for an accepted create: 30 looks in the 900 s that are its default wait.
CONFIRM_EVERY_SECONDS = 30.0


class OutcomeKind(StrEnum):
    """The first word of an outcome; the metric's label."""

    SYNCED = "synced"
    IN_STEP = "in_step"
    # it ended for good
    DONE = "done"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    CLOSED_ALREADY = "closed_already"
    # it waits for a person, or for something to arrive
    HELD = "held"
    RELEASED = "released"
    # it is tried again
    BUSY = "busy"
    LEASE_LOST = "lease_lost"
    RETRY = "retry"
    RATE_LIMITED = "rate_limited"
    CREATE_ACCEPTED = "create_accepted"
    EARLY = "early"
    FAILED = "failed"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look ended. Its text is the log's: the kind, and the reason where there is one."""

    kind: OutcomeKind
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.reason}" if self.reason else str(self.kind)

    @classmethod
    def of(cls, closing: Closing) -> Outcome:
        """The outcome of a delivery that was closed."""
        return cls(OutcomeKind(closing.state), closing.reason)


@dataclass(frozen=True, slots=True)
class Leave:
    """The deliveries stay as they are: whoever has them now ends them."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Defer:
    """The deliveries are tried again after ``delay_seconds`` (``None``: by their attempts)."""

    outcome: Outcome
    delay_seconds: float | None
    reason: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class HoldDeliveries:
    """The deliveries are held for ``reason``, until what ``hold_key`` names arrives."""

    outcome: Outcome
    reason: str
    hold_key: str | None = None


@dataclass(frozen=True, slots=True)
class AwaitAccount:
    """The deliveries wait until ``account`` is accepted again; ``why``: what the remote said."""

    outcome: Outcome
    account: SiteSide
    why: str


Disposition = Leave | Defer | HoldDeliveries | AwaitAccount


def reason_of_wait(error: SyncError) -> str:
    """Why a delivery is tried again: which remote, what it answered, and what that means."""
    who = " ".join(filter(None, (error.facts.remote, error.facts.answer)))
    return f"{who}: {error.message}" if who else error.message


def disposition_of(error: SyncError) -> Disposition:
    """What an error means for the deliveries in hand. Raises errors that say nothing of them."""
    # LeaseLost, RateLimited and Unconfirmed are Transient too: the special cases come first.
    match error:
        case LeaseLost():
            # Another worker has the link, and the deliveries with it.
            return Leave(Outcome(OutcomeKind.LEASE_LOST))
        case RateLimited():
            # A mere wait, under a reason of its own: the sweeper rings for those last.
            outcome = Outcome(OutcomeKind.RATE_LIMITED)
            return Defer(outcome, error.retry_after, RATE_LIMITED, is_failure=False)
        case Unconfirmed():
            # The remote has accepted a create: look until it shows, never send it again.
            outcome = Outcome(OutcomeKind.CREATE_ACCEPTED)
            return Defer(outcome, CONFIRM_EVERY_SECONDS, CREATE_ACCEPTED, is_failure=False)
        case Transient():
            # After the wait that the remote asks for, else by our own backoff.
            outcome = Outcome(OutcomeKind.RETRY)
            return Defer(outcome, error.retry_after, reason_of_wait(error), error.is_failure)
        case Held() if error.reason == SITE_REMOVED.reason:
            # Nothing waits for a site that may never come back, but for what only its words tell.
            return HoldDeliveries(Outcome.of(SITE_REMOVED), error.reason, error.hold_key)
        case Held():
            # No wait helps: a person decides, or an event brings what is missing.
            outcome = Outcome(OutcomeKind.HELD, error.reason)
            return HoldDeliveries(outcome, error.reason, error.hold_key)
        case Permanent() | Misconfigured():
            # Held at once: it would only be refused again.
            return HoldDeliveries(Outcome(OutcomeKind.HELD, error.reason), error.reason)
        case _:
            # Conflict, Gone, Duplicate: the engine plans with them, here they are a defect.
            raise error
