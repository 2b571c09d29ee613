"""The list of troubles and the ends of certificates, as Prometheus is told them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from sync_worker.core.values import SiteState
from sync_worker.doctor.gauges import ASKED_FOR, TroubleGauges
from sync_worker.ledger.administration.standing import SiteStanding, Waiting
from sync_worker.services.evidence import AddressLook, Evidence
from sync_worker.services.trouble import TroubleKind

PAUSED = SiteStanding(1, "shop", SiteState.PAUSED, is_compared=True, is_comparing=False)
EVIDENCE = Evidence(now=1_000_000.0, sites=[PAUSED])
LOOK = AddressLook("our public address", "gw.example.com", None, 1_000_000.0 + 86_400)
OURS = '{host="gw.example.com",whose="our public address"}'


class Asked:
    """What is known, a clock, and how often each was asked."""

    def __init__(self) -> None:
        self.now, self.evidence = 0.0, EVIDENCE
        self.asked, self.looked, self.jobs = 0, 0, list[Callable[[], None]]()
        self.gauges = TroubleGauges(self._tell, self._look, lambda: self.now, self.jobs.append)

    def _tell(self) -> Evidence:
        self.asked += 1
        return self.evidence

    def _look(self, evidence: Evidence) -> list[AddressLook]:
        self.looked += 1
        return [LOOK]

    def lines(self) -> list[str]:
        registry = CollectorRegistry()
        registry.register(self.gauges)
        return generate_latest(registry).decode().splitlines()


def test_each_kind_of_trouble_is_a_series_from_the_start() -> None:
    lines = Asked().lines()
    assert 'ratings_sync_troubles{kind="paused"} 1.0' in lines
    for kind in TroubleKind:
        is_told = any(line.startswith(f'ratings_sync_troubles{{kind="{kind}"}}') for line in lines)
        assert is_told == (kind not in ASKED_FOR), kind


def test_certificates_are_looked_at_once_an_hour_and_never_by_a_scrape() -> None:
    asked = Asked()
    series = f"ratings_sync_certificate_ends_timestamp_seconds{OURS}"
    assert not any(line.startswith(series) for line in asked.lines())
    (job,) = asked.jobs
    job()
    asked.now = 61.0
    lines = asked.lines()
    assert any(line.startswith(series) for line in lines)
    # In a day it ends: that is a trouble, too.
    assert 'ratings_sync_troubles{kind="certificate"} 1.0' in lines
    asked.now = 3601.0
    asked.lines()
    assert (asked.asked, asked.looked, len(asked.jobs)) == (3, 1, 2)


def test_many_scrapes_ask_the_ledger_once_a_minute() -> None:
    asked = Asked()
    for asked.now in (0.0, 15.0, 59.0, 60.0, 75.0):
        asked.lines()
    assert asked.asked == 2


def test_without_a_site_no_address_is_looked_at() -> None:
    asked = Asked()
    for asked.evidence in (
        Evidence(now=0.0),
        replace(EVIDENCE, connectors_reason="SHOP_TOKEN is not set"),
    ):
        asked.lines()
        asked.now += 61
    assert asked.jobs == []


def test_evidence_that_cannot_be_had_leaves_the_other_metrics() -> None:
    asked = Asked()
    gauges = TroubleGauges(lambda: 1 // 0, asked._look, lambda: 0.0)  # type: ignore[arg-type, return-value]  # it fails
    assert [family.samples for family in gauges.collect()] == [[], [], []]


def series_of_accounts(asked: Asked) -> dict[str, float]:
    """By account, as they are exposed."""
    start = 'ratings_sync_account_troubles{account="'
    found = (line.removeprefix(start) for line in asked.lines() if line.startswith(start))
    return {name: float(number) for name, number in (one.split('"} ') for one in found)}


def a_paused_site(number: int) -> SiteStanding:
    return replace(PAUSED, id=number, source=f"shop/{number:05}", instance_id=f"instance-{number}")


def test_troubles_of_ten_thousand_accounts_are_twenty_one_series() -> None:
    """Those with most troubles by name, on whichever side; all others together."""
    asked = Asked()
    late = [
        Waiting(source, is_for_budget=False, count=1, oldest_at=0.0, oldest_seconds=9999.0)
        for source in ("shop/07000", "instance-8000", "instance-7000")
    ]
    sites = [a_paused_site(number) for number in range(1, 10_001)]
    asked.evidence = replace(EVIDENCE, sites=sites, waiting=late)
    series = series_of_accounts(asked)
    assert list(series.items())[:3] == [("shop/07000", 3), ("shop/08000", 2), ("shop/00001", 1)]
    assert len(series) == 21
    assert series["other"] == 10_003 - 3 - 2 - 18


def test_shop_of_the_environment_is_named_by_its_connector() -> None:
    asked = Asked()
    asked.evidence = replace(EVIDENCE, sites=[replace(PAUSED, source="shop")])
    assert series_of_accounts(asked) == {"shop": 1, "other": 0}
