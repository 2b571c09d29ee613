"""Each alert fires for what it is for, the first event included, and is silent otherwise.

By Prometheus's own ``promtool test rules``: Debian's package ``prometheus`` has it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker.telemetry import metrics
from sync_worker.telemetry.exposition import exposition
from tests.fleet_file import ROOT

FILE = ROOT / "deploy/alerts.yml"
(GROUP,) = yaml.safe_load(FILE.read_text())["groups"]
RULES: dict[str, Any] = {rule["alert"]: rule for rule in GROUP["rules"]}
ALERTS = list(RULES)
PROMTOOL = shutil.which("promtool")
REQUESTS = 'gateway_requests_total{{result="{}",source="{}"}}'
ENDS = 'remote_ends_total{{end="{}",remote="shop"}}'


def requests(result: str, source: str = "wix") -> str:
    return REQUESTS.format(result, source)


def ends(end: str) -> str:
    return ENDS.format(end)


@dataclass(frozen=True)
class Case:
    """Series a minute apart, and whether the alert fires at that minute.

    ``labels``: of the alert, without its severity. In promtool's notation ``0x9 1x9`` is a counter
    that stands at 0 for ten minutes and then at 1 for ten.
    """

    series: Mapping[str, str]
    minute: int
    fires: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


def first(series: str, minute: int = 12, **labels: str) -> Case:
    """The first event of a counter that has stood at 0."""
    return Case({series: "0x9 1x90"}, minute, labels=labels)


def none_of(series: str) -> Case:
    return Case({series: "0x90"}, 60, fires=False)


def gauge(series: str, value: float, minute: int, **labels: str) -> Case:
    return Case({series: f"{value}x200"}, minute, labels=labels)


def quiet(series: str, value: float) -> Case:
    return Case({series: f"{value}x200"}, 150, fires=False)


REFUSED, STORED = requests("rejected"), requests("stored")
NEVER, PAUSED = 'sites{standing="never_compared"}', 'sites{standing="paused"}'
P95 = 'delivery_age_seconds{quantile="0.95"}'
STARTED = 'process_start_time_seconds{job="ratings-sync-worker"}'
SLOW = {
    'gateway_answer_seconds_bucket{le="0.75"}': "0x200",
    'gateway_answer_seconds_bucket{le="1.25"}': "0+9x200",
    'gateway_answer_seconds_bucket{le="+Inf"}': "0+9x200",
}
FAST = dict.fromkeys(SLOW, "0+9x200")
FAILS = {ends("failed"): "0+3x90", ends("answered"): "0+7x90"}
WORKS = {ends("failed"): "0x90", ends("answered"): "0+7x90"}

CERTIFICATE = 'certificate_ends_timestamp_seconds{host="gw.example.com",whose="our public address"}'
CASES: dict[str, list[Case]] = {
    "OldestDeliveryWaits": [
        gauge("inbox_oldest_open_seconds", 301, 3),
        quiet("inbox_oldest_open_seconds", 299),
    ],
    "NobodySweeps": [
        Case({'sweeps_total{asked_by="timer"}': "0x20"}, 6),
        Case({"broker_up": "1x20"}, 6),  # no worker is scraped at all
        Case({'sweeps_total{asked_by="timer"}': "0+12x60"}, 30, fires=False),
    ],
    "LedgerDown": [
        first(requests("ledger_down")),
        gauge("ledger_up", 0, 2),
        Case({requests("ledger_down"): "0x90", "ledger_up": "1x90"}, 60, fires=False),
    ],
    "RedisDown": [gauge("broker_up", 0, 2), quiet("broker_up", 1)],
    "RedisEvicts": [gauge("broker_evicted_keys", 1, 1), quiet("broker_evicted_keys", 0)],
    "RedisMemory": [
        Case({"broker_used_memory_bytes": "81x20", "broker_max_memory_bytes": "100x20"}, 6),
        Case({"broker_used_memory_bytes": "81x20", "broker_max_memory_bytes": "0x20"}, 15, False),
    ],
    "RedisNotSaved": [gauge("broker_is_saved", 0, 2), quiet("broker_is_saved", 1)],
    "SchedulerSilent": [
        gauge("last_beat_timestamp_seconds", 0, 6),
        Case({"last_beat_timestamp_seconds": "0+60x60"}, 50, fires=False),
    ],
    "WorkersDie": [
        Case({"deliveries_taken_over_total": "0x9 3x90"}, 12),
        Case({"deliveries_taken_over_total": "0x9 1x90"}, 12, fires=False),
        Case({STARTED: "0x3 1x3 2x3 3x30"}, 13),
    ],
    "GuardAway": [
        gauge('breaker_open{of="redis"}', 1, 6),
        quiet('breaker_open{of="redis"}', 0),
        quiet('breaker_open{of="wix"}', 1),
    ],
    "DeliveriesHeld": [
        first('deliveries_held_total{reason="fight"}', reason="fight"),
        none_of('deliveries_held_total{reason="fight"}'),
    ],
    "EndToEndSlow": [gauge(P95, 31, 6), quiet(P95, 29)],
    "AnswersSlow": [Case(SLOW, 15), Case(FAST, 15, fires=False)],
    "WebhooksRefused": [
        first(REFUSED, source="wix"),
        # It never delivered, and the other one does.
        Case(
            {REFUSED: "0x9 1x90", STORED: "0x99", requests("stored", "shop"): "0+5x99"},
            12,
            labels={"source": "wix"},
        ),
        # The key was changed while it ran.
        Case({REFUSED: "0x59 4x90", STORED: "0+1x29 30x120"}, 62, labels={"source": "wix"}),
        # One forgery beside genuine ones, or at a quiet time of the day.
        Case({REFUSED: "0x9 1x90", STORED: "0+1x99"}, 12, fires=False),
        Case({REFUSED: "0x59 1x90", STORED: "0+1x29 30x120"}, 62, fires=False),
    ],
    "WebhooksToNowhere": [
        first(requests("unknown_connector", "(unknown)"), 11, result="unknown_connector"),
        none_of(requests("unknown_connector", "(unknown)")),
    ],
    "BadSignatures": [
        Case({REFUSED: "0+20x60"}, 15, labels={"source": "wix"}),
        Case({REFUSED: "0+5x60"}, 50, fires=False),
    ],
    "WebhooksUnreadable": [
        first(requests("unreadable"), 11, source="wix"),
        none_of(requests("unreadable")),
    ],
    "RemoteRefusesUs": [first(ends("refused"), 11, remote="shop"), none_of(ends("refused"))],
    "RemoteFails": [
        Case(FAILS, 15, labels={"remote": "shop"}),
        Case(WORKS, 60, fires=False),
        Case({ends("failed"): "0x90", ends("answered"): "0x90"}, 60, fires=False),
    ],
    "RemoteLimitsUs": [
        Case({ends("limited"): "0+3x60"}, 30, labels={"remote": "shop"}),
        Case({ends("limited"): "0x9 1x60"}, 30, fires=False),
    ],
    "DoorbellFails": [
        Case({'doorbell_rings_total{result="failed"}': "0x9 1 2 3 4 5 6 7 8 9 10x60"}, 16),
        Case({'doorbell_rings_total{result="rung"}': "0+5x90"}, 60, fires=False),
    ],
    "BrokerMessagesDropped": [
        first('broker_messages_dropped_total{why="no_json"}', 11),
        none_of('broker_messages_dropped_total{why="no_json"}'),
    ],
    "RemoteHangs": [
        Case({ends("away"): "0x9 1+1x60"}, 17, labels={"remote": "shop"}),
        none_of(ends("away")),
        # One account of a hundred hangs.
        Case({ends("away"): "0+1x60", ends("answered"): "0+99x60"}, 30, fires=False),
    ],
    "NearMisses": [gauge("near_misses_last_hour", 1, 1), quiet("near_misses_last_hour", 0)],
    "IntentsStayOpen": [gauge("open_intents", 1, 35), Case({"open_intents": "1 0x60"}, 50, False)],
    "SiteWorkFails": [
        gauge('failing_site_work{work="poll"}', 1, 31, work="poll"),
        quiet('failing_site_work{work="poll"}', 0),
    ],
    "AccountRefused": [
        gauge('failing_accounts{side="external"}', 1, 6, side="external"),
        quiet('failing_accounts{side="external"}', 0),
        # A probe has put it right before anybody has to come.
        Case({'failing_accounts{side="wix"}': "1x2 0x60"}, 8, fires=False),
    ],
    "SweepOverdue": [
        gauge('run_ended_seconds_ago{kind="sweep"}', 172_801, 61),
        quiet('run_ended_seconds_ago{kind="sweep"}', 86_400),
    ],
    "NeverCompared": [gauge(NEVER, 1, 61), quiet(NEVER, 0)],
    "SitePaused": [gauge(PAUSED, 1, 61, standing="paused"), quiet(PAUSED, 0)],
    "NoGateway": [
        gauge('processes{kind="gateway"}', 0, 2),
        quiet('processes{kind="gateway"}', 1),
    ],
    "TwoSchedulers": [gauge('processes{kind="beat"}', 2, 4), quiet('processes{kind="beat"}', 1)],
    "NothingArrives": [
        # It never delivered at all.
        Case({STORED: "0x90"}, 62, labels={"source": "wix"}),
        Case({STORED: "0+1x90"}, 80, fires=False),
    ],
    "Trouble": [
        gauge('troubles{kind="clock"}', 1, 16, kind="clock"),
        quiet('troubles{kind="clock"}', 0),
        # It was over before anybody had to come.
        Case({'troubles{kind="clock"}': "1x9 0x60"}, 20, fires=False),
    ],
    "CertificateEnds": [
        # promtool's time begins at 0: in a minute less than seven days are left.
        gauge(CERTIFICATE, 7 * 86_400, 1, host="gw.example.com", whose="our public address"),
        quiet(CERTIFICATE, 30 * 86_400),
    ],
}


def test_every_alert_is_tried_both_ways() -> None:
    assert list(CASES) == ALERTS
    for name, cases in CASES.items():
        assert {case.fires for case in cases} == {True, False}, name


def test_series_of_a_worker_exist_before_its_first_event() -> None:
    """A series that is born at 1 shows no increase."""
    metrics.start_work_at_zero(["wix", "shop"])
    text = exposition().decode()
    for series in (
        'remote_ends_total{end="refused",remote="shop"} 0.0',
        'deliveries_held_total{reason="attempts_exhausted"}',
        'broker_messages_dropped_total{why="no_json"}',
        'site_work_failures_total{work="poll"}',
    ):
        assert f"ratings_sync_{series}" in text


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (200, "answered"),
        (404, "answered"),
        (401, "refused"),
        (403, "refused"),
        (429, "limited"),
        (503, "failed"),
        ("Transient", "failed"),
        ("UnknownOutcome", "failed"),
        ("Away", "away"),
    ],
)
def test_end_of_a_call_is_one_of_few_words(outcome: int | str, end: str) -> None:
    assert metrics.end_of(outcome) == end


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: apt-get install prometheus")
def test_alerts_fire_for_what_they_are_for(tmp_path: Path) -> None:
    """Each rule beside its own cases: promtool evaluates every rule that it is given each time."""
    files = []
    for name, cases in CASES.items():
        rules = tmp_path / f"{name}.rules.json"
        rules.write_text(json.dumps({"groups": [GROUP | {"rules": [RULES[name]]}]}))
        groups = [group_of(name, case) for case in cases]
        files.append(tmp_path / f"{name}.test.json")
        files[-1].write_text(
            json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": groups})
        )
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def group_of(name: str, case: Case) -> dict[str, Any]:
    """One of promtool's tests: does ``ALERTS`` hold the alert, by its labels?"""
    severity = RULES[name]["labels"]["severity"]
    labels = {"alertname": name, "alertstate": "firing", "severity": severity, **case.labels}
    shown = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return {
        "name": f"{name}, {'fires' if case.fires else 'is silent'}",
        "interval": "1m",
        "input_series": [
            {"series": name_of(series), "values": values} for series, values in case.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}',
                "eval_time": f"{case.minute}m",
                "exp_samples": [{"labels": f"ALERTS{{{shown}}}", "value": 1}] * case.fires,
            }
        ],
    }


def name_of(series: str) -> str:
    return series if series.startswith("process_") else f"ratings_sync_{series}"
