"""Dashboard, alerts and runbook speak of metrics that exist; the figures say what SQL and Redis
said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import requests
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from redis.exceptions import ConnectionError as RedisConnectionError

from sync_worker.core.errors import Transient
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.doctor.gauges import TroubleGauges
from sync_worker.ledger.administration.figures import LedgerFigures, RunFigures
from sync_worker.runtime.local.free_port import free_port
from sync_worker.services.evidence import Evidence
from sync_worker.telemetry import metrics
from sync_worker.telemetry.broker_figures import BrokerFigures
from sync_worker.telemetry.exposition import serve_metrics
from sync_worker.telemetry.figures import FiguresCollector
from tests.fleet_file import ROOT

LEDGER = LedgerFigures(
    open={"new": 3, "taken": 1},
    held={"unknown_contact": 2},
    oldest_open_seconds=12.5,
    open_intents=1,
    near_misses_last_hour=0,
    delivery_age_seconds={0.5: 0.1, 0.95: 0.4, 0.99: 1.5},
    runs=[RunFigures("sweep", "done", 60.0, {"repaired": 4})],
)
BROKER = BrokerFigures({"sync": 7, "maint": 0}, 2, 1_000_000, 256_000_000, 0, True, 3600, 9)

ALERTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"][
    0
]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
PANELS = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
]


def no_evidence() -> Evidence:
    return Evidence(now=0.0)


def collector(**changes: Any) -> FiguresCollector:
    parts = {"ledger": lambda: LEDGER, "broker": lambda: BROKER, **changes}
    clock, is_up = parts.get("clock", lambda: 0.0), parts.get("is_up", lambda: True)
    return FiguresCollector(parts["ledger"], parts["broker"], is_up, clock)


def text_of(one: FiguresCollector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(one)
    return generate_latest(registry).decode().splitlines()


def exposed() -> set[str]:
    """The names that series of ours can have."""
    names = {family.name for family in collector().collect()}
    names |= {family.name for family in TroubleGauges(no_evidence, lambda _: []).collect()}
    for family in REGISTRY.collect():
        if family.name.startswith("ratings_sync_"):
            kinds = {"histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
            suffixes = kinds.get(family.type, ("_total",))
            names |= {family.name + suffix for suffix in suffixes}
    return names


def named(expression: str) -> set[str]:
    return set(re.findall(r"\bratings_sync_\w+", expression))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["alert"])
def test_alert_is_good_promql_of_metrics_and_is_in_the_runbook(
    alert: dict[str, Any],
) -> None:
    """An alert is good PromQL of metrics that exist and has a page in the runbook."""
    promql_parser.parse(alert["expr"])
    assert named(alert["expr"]) <= exposed()
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / page).read_text(), re.M)
    assert anchor in [heading.lower() for heading in headings]


@pytest.mark.parametrize(("title", "expression"), PANELS)
def test_panel_is_good_promql_of_metrics_that_exist(title: str, expression: str) -> None:
    promql_parser.parse(expression.replace("$__rate_interval", "1m"))
    assert named(expression)
    assert named(expression) <= exposed()


def test_dashboard_shows_every_metric() -> None:
    shown = {
        re.sub(r"_(bucket|count|sum|total)$", "", name)
        for _, text in PANELS
        for name in named(text)
    }
    known = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in exposed()}
    assert known == shown


def test_every_metric_stands_in_the_manual() -> None:
    manual = (ROOT / "docs/operations.md").read_text()
    known = {re.sub(r"_(bucket|sum)$", "", name).removesuffix("_count") for name in exposed()}
    assert {name for name in known if f"`{name}" not in manual} == set()


def test_figures_are_what_sql_and_redis_said() -> None:
    lines = text_of(collector())
    for expected in (
        "ratings_sync_ledger_up 1.0",
        'ratings_sync_inbox_open_deliveries{state="new"} 3.0',
        'ratings_sync_inbox_held_deliveries{reason="unknown_contact"} 2.0',
        "ratings_sync_inbox_oldest_open_seconds 12.5",
        'ratings_sync_delivery_age_seconds{quantile="0.95"} 0.4',
        'ratings_sync_run_last_count{count="repaired",kind="sweep"} 4.0',
        'ratings_sync_broker_queue_length{queue="sync"} 7.0',
        "ratings_sync_broker_is_saved 1.0",
    ):
        assert expected in lines


def test_figures_say_what_is_down_and_keep_telling_the_rest() -> None:
    def no_ledger() -> LedgerFigures:
        raise Transient

    def no_broker() -> BrokerFigures:
        raise RedisConnectionError

    lines = text_of(collector(ledger=no_ledger))
    assert "ratings_sync_ledger_up 0.0" in lines
    assert "ratings_sync_broker_up 1.0" in lines
    lines = text_of(collector(broker=no_broker))
    assert "ratings_sync_broker_up 0.0" in lines
    assert "ratings_sync_ledger_up 1.0" in lines


def test_many_scrapes_ask_sql_once_in_five_seconds() -> None:
    asked, now = [], [0.0]

    def ledger() -> LedgerFigures:
        asked.append(now[0])
        return LEDGER

    one = collector(ledger=ledger, clock=lambda: now[0])
    for seconds in (0.0, 1.0, 4.9, 5.0, 7.0, 10.1):
        now[0] = seconds
        list(one.collect())
    assert asked == [0.0, 5.0, 10.1]


@pytest.fixture
def served() -> Iterator[str]:
    bind = f"127.0.0.1:{free_port()}"
    stop = serve_metrics(bind, "the-token-of-this-test")
    yield f"http://{bind}"
    stop()


def test_worker_tells_its_metrics_to_the_token_alone(served: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert requests.get(f"{served}/metrics", headers=headers, timeout=5).status_code == 404
    good = {"Authorization": "Bearer the-token-of-this-test"}
    assert requests.get(f"{served}/", headers=good, timeout=5).status_code == 404
    answer = requests.get(f"{served}/metrics", headers=good, timeout=5)
    assert answer.status_code == 200
    assert "ratings_sync_deliveries_processed_total" in answer.text


def test_outcome_words_become_labels_without_ids() -> None:
    before = metrics.deliveries_held.labels("unknown_contact")._value.get()
    metrics.count_outcome(Outcome(OutcomeKind.HELD, "unknown_contact"), 0.1)
    assert metrics.deliveries_held.labels("unknown_contact")._value.get() == before + 1
    metrics.count_outcome(Outcome(OutcomeKind.RELEASED, "12"), 0.1)
    told = generate_latest(REGISTRY).decode()
    assert 'ratings_sync_deliveries_processed_total{outcome="released"}' in told
    assert "released 12" not in told
