"""What can go wrong, by what to do next.

SyncError
├── Transient               try again later (``retry_after`` seconds, or our own backoff)
│   ├── RateLimited         the budget or the remote asks to wait; not a failed attempt
│   ├── Away                the remote did not answer lately and is left alone; no failed attempt
│   ├── UnknownOutcome      a write was sent, its answer lost: settle by looking, never repeat
│   ├── GoneUnsaid          a record may be gone, but its system does not say so: look again
│   ├── Unconfirmed         a create was accepted, its record shows later: look, never repeat
│   ├── OfNewerVersion      only a newer version reads it, and takes it up: no failed attempt
│   ├── NoRoom              as many runs as may be are under way in the fleet
│   └── LeaseLost           another worker has the link; nothing was written
├── Permanent               the remote refuses and will refuse again: held at once
│   └── Unauthorized        our credentials are refused: of the account, or of one record
├── Held                    a person has to decide or something has to arrive first
├── Misconfigured           settings, manifest or mapping are wrong: says what and where
│   ├── NoLedger            there is none where the settings say
│   └── LedgerAway          its database cannot be opened: it is away, or the settings are wrong
└── RemoteAnswer            answers of a remote that the engine plans with
    ├── Conflict            the record has another revision than the one named
    ├── Gone                the record does not exist (any more)
    └── Duplicate           a record for this person and entity exists already

Every instance carries facts for logs (remote, operation, status, code, request id), never a payload
or a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sync_worker.core.values import SearchKeys


@dataclass(frozen=True, slots=True)
class Facts:
    """Where an error came from; every part is safe to log."""

    remote: str = ""
    operation: str = ""
    status: int | None = None
    code: str = ""
    request_id: str = ""
    said: str = ""  # the remote's own sentence, without what we had sent it

    @property
    def answer(self) -> str:
        """What the remote answered, in words for people; empty where no answer came."""
        answered = " ".join(filter(None, (str(self.status or ""), self.code)))
        return f"{answered}: {self.said}" if self.said and answered else answered or self.said

    def __str__(self) -> str:
        parts = {
            "remote": self.remote,
            "operation": self.operation,
            "status": self.status,
            "code": self.code,
            "request_id": self.request_id,
            "said": repr(self.said) if self.said else "",
        }
        return " ".join(
            f"{name}={value}" for name, value in parts.items() if value not in ("", None)
        )


NO_FACTS = Facts()


class SyncError(Exception):
    """Something went wrong in ratings-sync.

    ``shown``: what the record showed whose rating key was not found.
    """

    shown: SearchKeys | None = None

    def __init__(self, message: str = "", *, facts: Facts = NO_FACTS) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.facts = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} [{self.facts}]" if str(self.facts) else self.message


class Transient(SyncError):
    """It did not work now and may work later.

    ``is_failure``: somebody was asked; not of mere waits.
    """

    is_failure: ClassVar[bool] = True

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, facts: Facts = NO_FACTS
    ) -> None:
        super().__init__(message, facts=facts)
        self.retry_after = retry_after


class RateLimited(Transient):
    """The request budget is used up for now."""

    is_failure = False


class Away(Transient):
    """The remote has not answered lately, and is left alone for a moment."""

    is_failure = False


class OfNewerVersion(Transient):
    """It has a word that only a newer version of the program knows, whose workers take it up."""

    is_failure = False


class UnknownOutcome(Transient):
    """A write was sent and its answer was lost.

    ``later``: what a later try of the same call was refused with, if any.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        facts: Facts = NO_FACTS,
        later: SyncError | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, facts=facts)
        self.later = later


class GoneUnsaid(Transient):
    """A record may be gone, but its system does not say so in words of its own."""


class Unconfirmed(Transient):
    """A create was accepted; its record does not show yet."""


class NoRoom(Transient):
    """As many sweeps as may be at once are under way in the fleet."""

    is_failure = False


class LeaseLost(Transient):
    """Another worker holds the lease of this link."""


class Permanent(SyncError):
    """The remote refuses this and will refuse it again."""

    def __init__(
        self, message: str = "", *, reason: str = "refused", facts: Facts = NO_FACTS
    ) -> None:
        super().__init__(message, facts=facts)
        self.reason = reason


class Unauthorized(Permanent):
    """The remote does not accept our credentials.

    ``is_of_account``: no record is involved, the account itself is refused.
    """

    def __init__(
        self, message: str = "", *, is_of_account: bool = False, facts: Facts = NO_FACTS
    ) -> None:
        super().__init__(message, reason="unauthorized", facts=facts)
        self.is_of_account = is_of_account


class Held(SyncError):
    """This waits for a person or for something to arrive.

    ``hold_key`` names what it waits for; ``has_arrived`` asks once more, after the hold is on file:
    what came in between released nothing yet.
    """

    def __init__(
        self,
        reason: str,
        message: str = "",
        *,
        hold_key: str | None = None,
        has_arrived: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(message or f"held: {reason}")
        self.reason = reason
        self.hold_key = hold_key
        self.has_arrived = has_arrived


class Misconfigured(SyncError):
    """A setting, manifest or mapping is wrong."""

    reason = "misconfigured"


class NoLedger(Misconfigured):
    """There is no ledger where the settings say, and none is made for a question."""


class LedgerAway(Misconfigured):
    """The ledger's database cannot be opened now: it is away, or the settings are wrong."""


class RemoteAnswer(SyncError):
    """An answer of a remote that the engine plans with."""


class Conflict(RemoteAnswer):
    """The record has changed since the revision that was named."""


class Gone(RemoteAnswer):
    """The record does not exist."""


class Duplicate(RemoteAnswer):
    """A record for this person and entity exists already."""

    def __init__(
        self, message: str = "", *, remote_id: str | None = None, facts: Facts = NO_FACTS
    ) -> None:
        super().__init__(message, facts=facts)
        self.remote_id = remote_id
