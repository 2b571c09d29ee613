"""What the gateway answers, stores and rings for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery
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
    a_wix_webhook,
    acme_headers,
    an_event,
    an_external_body,
    claims,
)
from tests.unit.webhook_gateway import test_external_webhook, test_wix_webhook

__all__ = ["gateway"]  # fixtures


def test_delivery_is_committed_before_the_answer_and_the_doorbell(
    gateway: Gateway,
) -> None:
    """A delivery is committed before the answer and then the doorbell rings."""
    assert gateway.wix() == (200, "stored")
    (inbox_id,) = gateway.bell.rung
    opened = gateway.ledger.inbox.open_delivery(inbox_id)
    assert opened is not None
    assert opened[0].new.remote_id == "rating-1"


def test_flood_of_one_site_is_rung_for_after_the_webhooks_of_others() -> None:
    """Each site has its share of the doorbell; the rest of one that sends more comes after."""
    bell, after = Rings(), list[int]()
    numbers = iter(range(1000))

    def store(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        return [Stored(next(numbers), False) for _ in new]

    client = make_gateway(
        store, bell, ring_after_others=lambda inbox_ids, source: after.extend(inbox_ids)
    )
    for number in range(60):
        body = an_external_body(id=f"r-{number}")
        client.post(OWN, data=body, headers=acme_headers(body))
    assert 16 <= len(bell.rung) < 40
    assert len(bell.rung) + len(after) == 60
    client.post(WIX, data=a_token())
    assert bell.rung[-1] == 60, "another site's goes first"


def test_duplicate_is_answered_200_and_rings_no_more(gateway: Gateway) -> None:
    token = a_token()
    assert [gateway.wix(token), gateway.wix(token)] == [(200, "stored"), (200, "duplicate")]
    assert len(gateway.bell.rung) == 1


def test_event_of_an_unknown_instance_is_stored(gateway: Gateway) -> None:
    assert gateway.wix(a_wix_webhook(an_event(), instanceId="instance-9")) == (200, "stored")


def test_event_of_an_unknown_type_is_answered_200(
    gateway: Gateway,
) -> None:
    """An event of an unknown type and the dashboard's test event are answered 200."""
    assert gateway.wix(a_wix_webhook(an_event(entityFqdn="wix.forms.v4.submission"))) == (
        200,
        "ignored",
    )
    assert gateway.wix(a_token(claims({"eventType": "x", "data": "{}"}))) == (200, "ignored")
    assert gateway.ledger.inbox.count_open() == 0


def test_external_delivery_is_stored(gateway: Gateway) -> None:
    body = an_external_body()
    answers = [
        gateway.client.post(OWN, data=body, headers=acme_headers(body)).get_json() for _ in range(2)
    ]
    assert [answer["result"] for answer in answers] == ["stored", "duplicate"]


def test_unknown_connector_is_404(gateway: Gateway) -> None:
    assert gateway.client.post("/webhooks/external/nobody", data=b"x").status_code == 404


@pytest.mark.parametrize("variant", sorted(set(test_wix_webhook.FORGED) - {"empty"}))
def test_forged_wix_request_is_answered_401_and_nothing_is_stored(variant: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body = test_wix_webhook.FORGED[variant]()
    answer = client.post(WIX, data=body)
    assert answer.status_code == (413 if len(body) > LIMIT else 401)
    assert stored == []


@pytest.mark.parametrize("variant", sorted(test_external_webhook.UNREADABLE))
def test_signed_request_that_cannot_be_read_is_422_with_the_reason(
    variant: str,
) -> None:
    """A signed request that the manifest cannot read is answered 422 with the reason."""
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body, headers = test_external_webhook.UNREADABLE[variant]()
    answer = client.post(OWN, data=body, headers=headers)
    assert (
        answer.status_code,
        answer.get_json()["reason"] in ("no_json", "malformed"),
        stored,
    ) == (422, True, [])


@pytest.mark.parametrize("variant", sorted(test_external_webhook.FORGED))
def test_forged_external_request_is_answered_401_and_nothing_is_stored(variant: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body, headers = test_external_webhook.FORGED[variant]()
    latin = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert client.post(OWN, data=body, headers=latin).status_code == 401
    assert stored == []


def test_empty_body_is_400_and_a_large_one_413(gateway: Gateway) -> None:
    assert gateway.client.post(WIX, data=b"").status_code == 400
    assert gateway.client.post(WIX, data=b"x" * (LIMIT + 1)).status_code == 413
