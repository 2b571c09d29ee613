"""What the gateway counts and logs, and what a sender of forgeries cannot fill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs

from sync_worker.telemetry import metrics
from sync_worker.telemetry.exposition import exposition
from tests.integration.gateway_door import (
    LIMIT,
    OWN,
    WIX,
    Gateway,
    Rings,
    gateway,
    into,
    make_gateway,
)
from tests.unit.signed import (
    a_token,
    acme_headers,
    an_external_body,
)

__all__ = ["gateway"]  # fixtures


# -- too many forgeries


@contextmanager
def heard() -> Iterator[list[Any]]:
    """The lines of the log, which other tests are quiet about."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.BoundLogger)
    try:
        with capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=before)


def test_sender_of_many_forgeries_fills_no_log(
    gateway: Gateway,
) -> None:
    """A sender of many forgeries fills no log and what verifies is never refused."""
    client = make_gateway(gateway.ledger.inbox.store_all, gateway.bell, bad_signatures_per_minute=3)
    with heard() as lines:
        answers = [client.post(WIX, data=b"forged") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401}
    told = [line["event"] for line in lines]
    assert told == ["delivery_rejected"] * 3 + ["rejections_limited"]
    assert client.post(WIX, data=a_token()).get_json() == {"result": "stored"}


# -- metrics


def test_metrics_are_closed_without_a_token_and_open_to_it_alone(gateway: Gateway) -> None:
    assert gateway.client.get("/metrics").status_code == 404
    client = make_gateway(
        gateway.ledger.inbox.store_all, gateway.bell, metrics_token="a-long-token-of-metrics"
    )
    for header in (
        None,
        "Bearer ",
        "Bearer wrong",
        "a-long-token-of-metrics",
        "Bearer a-long-token-of-metricsx",
        "Bearer ä",
    ):
        headers = {} if header is None else {"Authorization": header}
        assert client.get("/metrics", headers=headers).status_code == 404
    answer = client.get("/metrics", headers={"Authorization": "Bearer a-long-token-of-metrics"})
    assert answer.status_code == 200
    assert b"ratings_sync_gateway_requests_total" in answer.data


def test_every_end_of_a_webhook_is_counted_once(gateway: Gateway) -> None:
    def counted() -> dict[str, float]:
        samples = next(iter(metrics.gateway_requests.collect())).samples
        return {
            one.labels["result"]: one.value
            for one in samples
            if one.name.endswith("_total") and one.labels["source"] == "wix"
        }

    before = counted()
    token = a_token()
    for body in (token, token, b"", b"x" * (LIMIT + 1), b"forged"):
        gateway.client.post(WIX, data=body)
    after = counted()
    grown = {
        name: after[name] - before.get(name, 0)
        for name in after
        if after[name] != before.get(name, 0)
    }
    assert grown == {"stored": 1, "duplicate": 1, "malformed": 1, "too_large": 1, "rejected": 1}


def test_answer_names_its_request_so_that_it_can_be_found_in_the_log(gateway: Gateway) -> None:
    names = [gateway.client.post(WIX, data=b"x").headers["X-Request-Id"] for _ in range(2)]
    assert names[0] != names[1]
    assert all(len(name) == 32 for name in names)


def test_unknown_connector_and_path_are_counted_and_logged() -> None:
    """A webhook that is set up wrongly leaves a line and a count; a flood leaves few lines."""
    notes: list[tuple[str, str, str]] = []
    client = make_gateway(
        into([]),
        Rings(),
        note_door=lambda *note: notes.append(note),
        bad_signatures_per_minute=3,
    )
    with heard() as lines:
        for _ in range(50):
            assert client.post("/webhooks/external/own-servce", data=b"{}").status_code == 404
        assert client.post("/webhook/wix", data=b"x").status_code == 404
        assert client.get(WIX).status_code == 405
    unknown = [line for line in lines if line["event"] == "webhook_unknown"]
    assert len(unknown) == 3
    assert unknown[0]["why"] == "unknown_connector"
    assert unknown[0]["path"] == "/webhooks/external/own-servce"
    assert notes.count(("(unknown)", "unknown_connector", "")) == 50
    assert notes.count(("(unknown)", "unknown_path", "")) == 2


def test_path_of_a_stranger_is_harmless_in_the_log() -> None:
    client = make_gateway(into([]), Rings())
    with heard() as lines:
        client.post("/webhooks/external/" + "%1b[31m%0a\u2028" + "x" * 500, data=b"{}")
    (line,) = [line for line in lines if line["event"] == "webhook_unknown"]
    assert line["path"].startswith("/webhooks/external/?")
    assert len(line["path"]) == 80


def test_every_end_at_the_door_is_noted_for_the_ledger() -> None:
    notes: list[tuple[str, str, str]] = []
    client = make_gateway(into([]), Rings(), note_door=lambda *note: notes.append(note))
    body = an_external_body()
    client.post(OWN, data=body, headers=acme_headers(body))
    client.post(OWN, data=body, headers={})
    client.post(WIX, data=b"no token")
    client.post(WIX, data=b"")
    assert notes == [
        ("own-service", "stored", ""),
        ("own-service", "rejected", "bad_signature"),
        ("wix", "rejected", "DecodeError"),
        ("wix", "malformed", ""),
    ]


def test_series_of_the_door_exist_before_the_first_request() -> None:
    """A series that is born at 1 shows no increase: no alert would see the first event."""
    make_gateway(into([]), Rings())
    text = exposition().decode()
    for result in ("stored", "rejected", "unreadable", "ledger_down"):
        for source in ("wix", "own-service"):
            assert f'requests_total{{result="{result}",source="{source}"}}' in text
    assert 'requests_total{result="unknown_connector",source="(unknown)"}' in text
