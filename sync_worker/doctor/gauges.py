"""The list of troubles, and the ends of certificates, as gauges for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sync_worker.services.account_troubles import worst_accounts
from sync_worker.services.evidence import AddressLook, Evidence
from sync_worker.services.trouble import TroubleKind
from sync_worker.services.troubles import troubles

TROUBLES_SECONDS = 60.0
ADDRESSES_SECONDS = 3600.0
# Only a call tells these: `status` and `doctor` make one, a scrape does not.
ASKED_FOR = frozenset(
    {TroubleKind.REMOTE_AWAY, TroubleKind.REMOTE_REFUSES, TroubleKind.HOOKS_DISABLED}
)

log = structlog.get_logger(__name__)


def in_background(job: Callable[[], None]) -> None:
    """A scrape waits for no network."""
    threading.Thread(target=job, name="certificates", daemon=True).start()


class TroubleGauges(Collector):
    """Asks SQL and Redis at most once a minute, and looks at addresses once an hour.

    ``evidence``: what SQL and Redis know. ``look_at_addresses``: clocks and certificates, one plain
    request each.
    """

    def __init__(
        self,
        evidence: Callable[[], Evidence],
        look_at_addresses: Callable[[Evidence], Sequence[AddressLook]],
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self._evidence, self._look_at_addresses = evidence, look_at_addresses
        self._clock, self._start = clock, start
        self._turn = threading.Lock()
        self._looks: Sequence[AddressLook] = ()
        self._counts: Counter[str] = Counter()
        self._accounts: Mapping[str, int] = {}
        self._good_until = self._looks_good_until = float("-inf")

    def describe(self) -> list[GaugeMetricFamily]:
        return []  # so that registering asks nobody

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._turn:
            if self._clock() >= self._good_until:
                self._refresh()
                self._good_until = self._clock() + TROUBLES_SECONDS
            counts, accounts, looks = self._counts, self._accounts, self._looks
        yield _gauges_of_troubles(counts)
        yield _gauges_of_accounts(accounts)
        yield _gauges_of_certificates(looks)

    def _refresh(self) -> None:
        try:
            evidence = self._evidence()
        except Exception:  # whatever it is, the other metrics are told
            log.warning("figures_missing", of="troubles")
            return
        # Without a site or its manifest nobody knows whose addresses count.
        is_known = bool(evidence.sites) and not evidence.connectors_reason
        if is_known and self._clock() >= self._looks_good_until:
            self._looks_good_until = self._clock() + ADDRESSES_SECONDS
            self._start(lambda: self._look(evidence))
        named = troubles(replace(evidence, addresses=self._looks))
        found = Counter(trouble.kind.value for trouble in named)
        kinds = [kind.value for kind in TroubleKind if kind not in ASKED_FOR]
        self._counts = Counter({kind: found[kind] for kind in kinds})
        self._accounts = worst_accounts(named, evidence.sites)

    def _look(self, evidence: Evidence) -> None:
        self._looks = self._look_at_addresses(evidence)


def _gauges_of_troubles(counts: Mapping[str, int]) -> GaugeMetricFamily:
    text = "What `ratings-sync status` calls a trouble"
    family = GaugeMetricFamily("ratings_sync_troubles", text, labels=["kind"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family


def _gauges_of_accounts(counts: Mapping[str, int]) -> GaugeMetricFamily:
    text = "Troubles of each account; of the 20 that have most, and of all others together"
    family = GaugeMetricFamily("ratings_sync_account_troubles", text, labels=["account"])
    for account, count in counts.items():
        family.add_metric([account], count)
    return family


def _gauges_of_certificates(looks: Sequence[AddressLook]) -> GaugeMetricFamily:
    name = "ratings_sync_certificate_ends_timestamp_seconds"
    family = GaugeMetricFamily(name, "When a certificate ends", labels=["whose", "host"])
    for look in looks:
        if look.certificate_ends_at is not None:
            family.add_metric([look.whose, look.host], look.certificate_ends_at)
    return family
