"""What Prometheus is told, by the edges only: the door, the tasks, the HTTP client.

Labels are fixed words and names. Counters are this process's; what SQL and Redis know is read when
somebody asks (``telemetry.figures``). Names and labels stand in docs/operations.md, the dashboard
and the alerts; a test compares them.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from sync_worker.core.hold_reasons import FREES_ITSELF
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.ledger.administration.door_counts import UNKNOWN_SOURCE
from sync_worker.ledger.administration.site_faults import SITE_WORK

# Wix gives up after the last.
ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25)
WORK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 15.0, 60.0)
DELAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
WAIT_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class CallEnd(StrEnum):
    """How a remote call ended, for alerts."""

    ANSWERED = "answered"
    REFUSED = "refused"
    LIMITED = "limited"
    FAILED = "failed"
    AWAY = "away"


gateway_requests = Counter(
    "ratings_sync_gateway_requests",
    "Webhooks by their end: stored, duplicate, ignored, handshake, rejected, unreadable, too_large,"
    " malformed, ledger_down, account_shut; of the source (unknown): unknown_connector,"
    " unknown_account, unknown_path",
    ["source", "result"],
)
gateway_rejections = Counter(
    "ratings_sync_gateway_rejections", "Webhooks that were refused, and why", ["source", "reason"]
)
gateway_answer_seconds = Histogram(
    "ratings_sync_gateway_answer_seconds",
    "From the first byte to the answer",
    ["source"],
    buckets=ANSWER_BUCKETS,
)
gateway_body_bytes = Counter(
    "ratings_sync_gateway_body_bytes", "Bytes of accepted bodies", ["source"]
)
gateway_last_delivery = Gauge(
    "ratings_sync_gateway_last_delivery_timestamp_seconds",
    "When a source last sent something new; silence is a lost subscription, or a quiet site",
    ["source"],
    multiprocess_mode="max",
)
doorbell_rings = Counter(
    "ratings_sync_doorbell_rings",
    "Rings: rung, failed, skipped while the breaker is open, or left to the sweeper, since one"
    " source sends more than a fleet works on",
    ["result"],
)
deliveries_processed = Counter(
    "ratings_sync_deliveries_processed",
    "Deliveries that a worker looked at, by outcome",
    ["outcome"],
)
deliveries_held = Counter(
    "ratings_sync_deliveries_held", "Deliveries that were held, by reason", ["reason"]
)
delivery_seconds = Histogram(
    "ratings_sync_delivery_seconds",
    "A worker's time for one delivery, remote calls included",
    buckets=WORK_BUCKETS,
)
slots_busy = Gauge(
    "ratings_sync_slots_busy",
    "Calls to remotes under way in this worker",
    multiprocess_mode="livesum",
)
slots = Gauge(
    "ratings_sync_slots",
    "Calls to remotes that this worker can have under way",
    multiprocess_mode="livesum",
)
threads_busy = Gauge(
    "ratings_sync_threads_busy",
    "Threads of this worker with a task in hand: a delivery, or work by the clock",
    multiprocess_mode="livesum",
)
threads = Gauge(
    "ratings_sync_threads",
    "Threads of this worker; when all are busy, messages wait",
    multiprocess_mode="livesum",
)
remote_calls = Counter(
    "ratings_sync_remote_calls",
    "Calls by their status or error",
    ["remote", "operation", "outcome"],
)
remote_ends = Counter(
    "ratings_sync_remote_ends",
    "Calls by the kind of their end: answered, refused (401, 403), limited (429), failed, away",
    ["remote", "end"],
)
remote_call_seconds = Histogram(
    "ratings_sync_remote_call_seconds",
    "One call with its retries",
    ["remote", "operation"],
    buckets=WORK_BUCKETS,
)
remote_waits = Histogram(
    "ratings_sync_remote_wait_seconds",
    "Waits that a remote asked for; up to 2 s within the call, longer ones in the inbox",
    ["remote"],
    buckets=WAIT_BUCKETS,
)
breaker_open = Gauge(
    "ratings_sync_breaker_open",
    "Whether something that failed a moment ago is left alone: doorbell, redis, or a remote; a"
    " number of processes",
    ["of"],
    multiprocess_mode="sum",
)
first_look_delay_seconds = Histogram(
    "ratings_sync_first_look_delay_seconds",
    "From the door to the first look of a worker",
    buckets=DELAY_BUCKETS,
)
deliveries_taken_over = Counter(
    "ratings_sync_deliveries_taken_over",
    "Deliveries found in the hands of a worker whose lease had run out",
)
last_beat = Gauge(
    "ratings_sync_last_beat_timestamp_seconds",
    "When a worker last did what the scheduler asked for",
    multiprocess_mode="max",
)
sweeps = Counter(
    "ratings_sync_sweeps", "Rounds of the sweeper, by who asked: beat or timer", ["asked_by"]
)
swept = Counter("ratings_sync_swept_deliveries", "Deliveries that the sweeper rang for again")
broker_messages_dropped = Counter(
    "ratings_sync_broker_messages_dropped",
    "Messages that no worker of ours can read: no_json, no_task",
    ["why"],
)
site_work_failures = Counter(
    "ratings_sync_site_work_failures",
    "Sweeps, polls and hook checks of one site that failed",
    ["work"],
)
pruned = Counter("ratings_sync_pruned_rows", "Rows that the retention forgot", ["kind"])


# How a request ends at the door, and why it is refused, as far as the words are known before.
DOOR_RESULTS = (
    "stored",
    "duplicate",
    "ignored",
    "handshake",
    "rejected",
    "unreadable",
    "too_large",
    "malformed",
    "ledger_down",
    "account_shut",
)
UNKNOWN_RESULTS = ("unknown_connector", "unknown_account", "unknown_path")


def start_door_at_zero(sources: Sequence[str]) -> None:
    """Every series that an alert looks at exists from the start: one born at 1 shows no increase.

    ``sources``: those that may send webhooks.
    """
    for source in sources:
        for result in DOOR_RESULTS:
            gateway_requests.labels(source, result)
    for result in UNKNOWN_RESULTS:
        gateway_requests.labels(UNKNOWN_SOURCE, result)
    for result in ("rung", "failed", "skipped", "left"):
        doorbell_rings.labels(result)


def start_work_at_zero(remotes: Sequence[str]) -> None:
    """As ``start_door_at_zero``, of a worker. ``remotes``: those that it may call."""
    for kind in OutcomeKind:
        deliveries_processed.labels(kind)
    for reason in FREES_ITSELF:
        deliveries_held.labels(reason)
    for remote in remotes:
        for end in CallEnd:
            remote_ends.labels(remote, end)
    for asked_by in ("beat", "timer"):
        sweeps.labels(asked_by)
    for why in ("no_json", "no_task"):
        broker_messages_dropped.labels(why)
    for work in SITE_WORK:
        site_work_failures.labels(work)


def count_outcome(outcome: Outcome, seconds: float) -> None:
    """One processed delivery."""
    deliveries_processed.labels(outcome.kind).inc()
    delivery_seconds.observe(seconds)
    if outcome.kind is OutcomeKind.HELD:
        deliveries_held.labels(outcome.reason or "unknown").inc()


def count_call(remote: str, operation: str, outcome: int | str, seconds: float) -> None:
    """One remote call. ``outcome``: its status, or the name of the error."""
    remote_calls.labels(remote, operation, str(outcome)).inc()
    remote_ends.labels(remote, end_of(outcome)).inc()
    remote_call_seconds.labels(remote, operation).observe(seconds)


def end_of(outcome: int | str) -> CallEnd:
    """The kind of an end: few words, so that each can be counted from 0."""
    match outcome:
        case 401 | 403:
            return CallEnd.REFUSED
        case 429:
            return CallEnd.LIMITED
        case int() if outcome >= 500:
            return CallEnd.FAILED
        case "Transient" | "UnknownOutcome":
            return CallEnd.FAILED
        case "Away":
            return CallEnd.AWAY
        case _:
            return CallEnd.ANSWERED


def busy_slots() -> int:
    """Calls to remotes under way in this worker."""
    return sum(int(sample.value) for family in slots_busy.collect() for sample in family.samples)


def observe_wait(remote: str, seconds: float) -> None:
    """A remote asks for a wait."""
    remote_waits.labels(remote).observe(seconds)


def watch_breaker(of: str) -> Callable[[bool], None]:
    """What a breaker tells whether it is open; at first it is not."""
    gauge = breaker_open.labels(of)
    gauge.set(0)
    return lambda is_open: gauge.set(is_open)


_shut_of: dict[str, set[object]] = defaultdict(set)
_turn_of_shut = threading.Lock()


def watch_breaker_of_many(of: str) -> Callable[[bool], None]:
    """What one of many breakers with the same name tells: the gauge is 1 while any of them is open.

    So one that closes, or that is new, does not hide another one.
    """
    gauge, this = breaker_open.labels(of), object()

    def tell(is_open: bool) -> None:
        with _turn_of_shut:
            if is_open:
                _shut_of[of].add(this)
            else:
                _shut_of[of].discard(this)
            gauge.set(bool(_shut_of[of]))

    tell(False)
    return tell
