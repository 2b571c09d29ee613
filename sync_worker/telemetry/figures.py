"""The figures that SQL and Redis know, as gauges for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from sync_worker.core.errors import Transient
from sync_worker.ledger.administration.figures import LedgerFigures
from sync_worker.ledger.administration.site_faults import SITE_WORK
from sync_worker.telemetry.broker_figures import BrokerFigures

LEDGER_UP = "Whether the ledger answered, and could be written"
QUEUES = ("sync", "maint")
CACHED_SECONDS = 5.0

log = structlog.get_logger(__name__)


class FiguresCollector(Collector):
    """Asks SQL and Redis when Prometheus asks us, at most every five seconds.

    Every worker shows the same figures: take their ``max`` in queries.
    """

    def __init__(
        self,
        ledger: Callable[[], LedgerFigures],
        broker: Callable[[], BrokerFigures],
        is_ledger_up: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._broker, self._clock = ledger, broker, clock
        self._is_ledger_up = is_ledger_up
        self._turn = threading.Lock()
        self._gauges: list[GaugeMetricFamily] = []
        self._good_until = float("-inf")

    def describe(self) -> list[GaugeMetricFamily]:
        return []  # so that registering asks nobody

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._turn:
            if self._clock() >= self._good_until:
                self._gauges = [*self._ledger_gauges(), *self._broker_gauges()]
                self._good_until = self._clock() + CACHED_SECONDS
            gauges = self._gauges
        yield from gauges

    def _ledger_gauges(self) -> list[GaugeMetricFamily]:
        try:
            figures = list(gauges_of_ledger(self._ledger()))
        except Transient:
            log.warning("figures_missing", of="ledger")
            return [_gauge("ledger_up", LEDGER_UP, 0)]
        return [_gauge("ledger_up", LEDGER_UP, self._is_ledger_up()), *figures]

    def _broker_gauges(self) -> list[GaugeMetricFamily]:
        try:
            return [
                _gauge("broker_up", "Whether Redis answered", 1),
                *gauges_of_broker(self._broker()),
            ]
        except RedisError:
            log.warning("figures_missing", of="broker")
            return [_gauge("broker_up", "Whether Redis answered", 0)]


def gauges_of_ledger(now: LedgerFigures) -> Iterator[GaugeMetricFamily]:
    """One family for each figure of the ledger."""
    yield _family("inbox_open_deliveries", "Deliveries on their way", "state", now.open)
    yield _family(
        "inbox_held_deliveries", "Deliveries that wait for a person or a thing", "reason", now.held
    )
    yield _gauge(
        "inbox_oldest_open_seconds",
        "Age of the oldest delivery on its way",
        now.oldest_open_seconds,
    )
    yield _gauge(
        "inbox_most_attempts", "Failed attempts of the delivery that failed most", now.most_attempts
    )
    yield _gauge(
        "inbox_most_for_one_link",
        "Deliveries on their way for one link, at most",
        now.most_for_one_link,
    )
    yield _gauge("open_intents", "Remote writes under way or of unknown outcome", now.open_intents)
    yield _gauge(
        "near_misses_last_hour",
        "Events with our identity that the ledger did not know",
        now.near_misses_last_hour,
    )
    ages = {str(quantile): age for quantile, age in now.delivery_age_seconds.items()}
    yield _family(
        "delivery_age_seconds", "From the door to the end, last five minutes", "quantile", ages
    )
    ended = {run.kind: run.ended_seconds_ago for run in now.runs}
    yield _family(
        "run_ended_seconds_ago", "Time since a run of this kind last ended", "kind", ended
    )
    yield from _gauges_of_sites(now)
    yield _family("processes", "Processes that show signs of life", "kind", now.processes)
    yield _run_counts(now)


def _gauges_of_sites(now: LedgerFigures) -> Iterator[GaugeMetricFamily]:
    failing = Counter(fault.work for fault in now.site_faults)
    yield _family(
        "failing_site_work",
        "Sites whose sweep, poll or hook check fails, and is tried again after a pause",
        "work",
        dict.fromkeys(SITE_WORK, 0) | failing,
    )
    yield _family(
        "sites", "Sites by how they stand, never_compared among them", "standing", now.sites
    )
    yield _family(
        "failing_accounts",
        "Accounts of sites that their remote refuses; a probe asks again each minute",
        "side",
        now.failing_accounts,
    )


def _run_counts(now: LedgerFigures) -> GaugeMetricFamily:
    counts = GaugeMetricFamily(
        "ratings_sync_run_last_count", "Counts of the last run", labels=["kind", "count"]
    )
    for run in now.runs:
        for name, number in run.counts.items():
            counts.add_metric([run.kind, name], number)
    return counts


def gauges_of_broker(now: BrokerFigures) -> Iterator[GaugeMetricFamily]:
    """One family for each figure of the broker."""
    yield _family("broker_queue_length", "Messages that wait in a queue", "queue", now.queues)
    yield _gauge("broker_unacked_messages", "Messages in a worker's hands", now.unacked)
    yield _gauge(
        "broker_unacked_oldest_seconds", "Age of the oldest of those", now.unacked_oldest_seconds
    )
    yield _gauge("broker_used_memory_bytes", "Memory of Redis", now.used_memory_bytes)
    yield _gauge("broker_max_memory_bytes", "Limit of that memory; 0: none", now.max_memory_bytes)
    yield _gauge(
        "broker_evicted_keys", "Keys that Redis threw away since its start", now.evicted_keys
    )
    yield _gauge("broker_is_saved", "Whether the append-only file could be written", now.is_saved)
    yield _gauge("broker_uptime_seconds", "Time since the start of Redis", now.uptime_seconds)
    yield _gauge("broker_clients", "Connections to Redis", now.clients)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily("ratings_sync_" + name, text, value=float(value))


def _family(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("ratings_sync_" + name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family
