"""What Flower shows of a task: whose rating, how it ended, and a state that a person can filter by.

Celery knows success and failure; a delivery ends in many ways, and what it waits for stands in SQL.
So only the *events* say more: there is no retry by Celery, no second message, no traceback.
https://docs.celeryq.dev/en/stable/userguide/monitoring.html#task-events
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from celery import Task
from celery.worker.request import Request
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.values import Delivery, Site

SHORT = 8  # characters of an id, as `history` prints them
_IS_PLAIN = re.compile(r"[A-Za-z0-9_-]*").fullmatch

SUCCEEDED, RETRIED, FAILED = "task-succeeded", "task-retried", "task-failed"
# Not one of Celery's own events: Flower shows its word as the state.
IGNORED = "task-ignored"
EVENTS: Mapping[OutcomeKind, str] = {
    OutcomeKind.SYNCED: SUCCEEDED,
    OutcomeKind.IN_STEP: SUCCEEDED,
    OutcomeKind.SUPPRESSED: SUCCEEDED,
    # there was nothing to do for it: another one, or nobody, needed it
    OutcomeKind.DONE: IGNORED,
    OutcomeKind.SUPERSEDED: IGNORED,
    OutcomeKind.CLOSED_ALREADY: IGNORED,
    # a person has to look
    OutcomeKind.HELD: FAILED,
    OutcomeKind.FAILED: FAILED,
    # the ledger rings for it again
    OutcomeKind.RELEASED: RETRIED,
    OutcomeKind.BUSY: RETRIED,
    OutcomeKind.LEASE_LOST: RETRIED,
    OutcomeKind.RETRY: RETRIED,
    OutcomeKind.RATE_LIMITED: RETRIED,
    OutcomeKind.CREATE_ACCEPTED: RETRIED,
    OutcomeKind.EARLY: RETRIED,
    OutcomeKind.POSTPONED: RETRIED,
}

# Of several deliveries in one task the worst decides what it is shown as.
WORST_FIRST = (FAILED, RETRIED, SUCCEEDED, IGNORED)
# Not begun: it is rung for again.
LEFT = Outcome(OutcomeKind.POSTPONED, "not_begun")
NOT_READ = " not read"
MAX_END = 40  # characters: eight of them, whatever they are, fit into what Celery shows

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """What a delivery's task returns: Celery takes its text as the result.

    ``opened``: the delivery and its site, where they could be read.
    """

    inbox_id: int
    outcome: Outcome
    opened: Sequence[tuple[Delivery, Site | None]]

    def __repr__(self) -> str:
        """``held unknown_entity | #812 external upsert 4711 · site 5b0c91d2``."""
        return f"{self.outcome}{_BETWEEN}{self.record()}{self.site()}"

    def record(self) -> str:
        """Its number, and which record it is about."""
        told = [
            f" {delivery.new.side} {delivery.new.change} {short(delivery.new.remote_id)}"
            for delivery, _ in self.opened
        ]
        return f"#{self.inbox_id}{''.join(told) or NOT_READ}"

    def site(self) -> str:
        """Whose it is."""
        sources = [
            delivery.new.source if site is None else site.instance_id
            for delivery, site in self.opened
        ]
        return "".join(f" · site {short(source)}" for source in sources)


@dataclass(frozen=True, slots=True, repr=False)
class ShownTogether:
    """What the task of several deliveries of a site returns: the worst of their ends, then each.

    ``left``: those that it did not begin.
    """

    ended: Sequence[Shown]
    left: Sequence[int] = ()

    def __repr__(self) -> str:
        """``held unknown_entity | #812 wix upsert 4711 synced; #813 … · site 5b0c91d2``."""
        each = [f"{one.record()} {str(one.outcome)[:MAX_END]}" for one in self.ended]
        each += [f"#{inbox_id} {LEFT}" for inbox_id in self.left]
        sites = [one.site() for one in self.ended if one.opened][:1]
        return f"{self._worst()}{_BETWEEN}{'; '.join(each)}{''.join(sites)}"

    def _worst(self) -> Outcome:
        outcomes = [one.outcome for one in self.ended]
        if self.left:
            outcomes.append(LEFT)
        return min(outcomes, key=lambda outcome: WORST_FIRST.index(EVENTS[outcome.kind]))


_BETWEEN = " | "


def short(remote_id: str) -> str:
    """The beginning of an id; of one that might be an address or a name, a digest."""
    if _IS_PLAIN(remote_id):
        return remote_id[:SHORT]
    return "#" + hashlib.sha256(remote_id.encode("utf-8", "surrogatepass")).hexdigest()[:SHORT]


class DeliveryRequest(Request):  # type: ignore[misc]  # celery ships no types
    """Tells the dashboard of a delivery's end in its own words, where Celery would say *success*.

    https://docs.celeryq.dev/en/stable/userguide/tasks.html#requests-and-custom-requests
    """

    def send_event(self, type: str, **fields: Any) -> None:
        if type == SUCCEEDED:
            type, fields = told(fields)
        super().send_event(type, **fields)


def told(fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The event that fits the end of a delivery, and its fields, from those of a success."""
    result, _, about = str(fields["result"]).partition(_BETWEEN)
    event = EVENTS[OutcomeKind(result.partition(" ")[0])]
    shown = {**fields, "result": result, "args": about}
    if event in (RETRIED, FAILED):
        shown["exception"] = result
    return event, shown


class Postponed(str):
    """Why a tick could not do its work, in words; the next one tries again."""

    __slots__ = ()


class Tick(Task):  # type: ignore[misc]  # celery ships no types
    """A task by the clock. Only one that did something is shown: it returns what, in words."""

    abstract = True
    send_events = False

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.request.began = time.time()

    def on_success(
        self, retval: str, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        if isinstance(retval, Postponed):
            self._tell(RETRIED, result=retval, exception=retval)
        elif retval:
            self._tell(SUCCEEDED, result=retval)

    def on_failure(
        self,
        exc: Exception,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: object,
    ) -> None:
        self._tell(FAILED, exception=type(exc).__name__)

    def _tell(self, event: str, **fields: str) -> None:
        began = self.request.began
        facts = {"name": self.name, "args": "()", "kwargs": "{}", "received": began}
        facts |= {"started": began, "runtime": time.time() - began}
        try:
            self.send_event(event, retry=False, **facts, **fields)
        except (KombuError, RedisError, OSError) as error:
            # The dashboard lacks a row; the work is done.
            log.warning("tick_not_shown", task=self.name, error=type(error).__name__)
