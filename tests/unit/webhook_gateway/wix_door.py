"""Wix's webhooks as the door reads them."""

from __future__ import annotations

from sync_worker.core.values import NewDelivery
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.unit.signed import (
    APP_ID,
    pem,
)
from webhook_gateway.wix import Ignored, Rejected, read_delivery

KEYS = load_public_keys(pem())


def read(body: bytes) -> NewDelivery | Ignored | Rejected:
    return read_delivery(body, KEYS, APP_ID)


def accepted(body: bytes) -> NewDelivery:
    delivery = read(body)
    assert isinstance(delivery, NewDelivery), delivery
    return delivery
