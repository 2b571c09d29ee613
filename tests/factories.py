"""Values for tests: each with what most tests want, and changed by name where a test says why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import (
    Change,
    EntityRef,
    Intent,
    NewDelivery,
    Operation,
    Policy,
    Record,
    Side,
    Site,
    Slot,
)

WIX_ENTITY = EntityRef("product-1", "stores", "reviews")
EXTERNAL_ENTITY = EntityRef("sku-1")


def a_delivery(number: int = 1, **changes: Any) -> NewDelivery:
    """The numbered event of one Wix rating; its number is its revision, too."""
    name, payload = f"event-{number}", {"n": number}
    delivery = NewDelivery(Side.WIX, "instance-1", name, Change.UPSERT, "rating-1", payload, number)
    return replace(delivery, **changes)


def a_named_delivery(name: str, **changes: Any) -> NewDelivery:
    """An event of the record with this name, under a delivery id of the same name."""
    return a_delivery(**{"dedupe_id": name, "remote_id": name, "revision": None} | changes)


def an_intent(name: str = "intent-1", **changes: Any) -> Intent:
    """To create the external copy of a Wix rating of 90."""
    intent = Intent(
        name,
        Slot(Side.EXTERNAL),
        Operation.CREATE,
        {"overall": Decimal("4.5")},
        {"overall": Decimal(90)},
        source_ids={"overall": "rating-1"},
    )
    return replace(intent, **changes)


def a_record(side: Side, number: int = 1, **changes: Any) -> Record:
    """``w1``, ``e2``, ... of one entity, at revision 3."""
    if side is Side.WIX:
        record = Record(f"w{number}", {"overall": Decimal(80)}, entity=WIX_ENTITY)
    else:
        record = Record(f"e{number}", {"value": Decimal("4.5")}, entity=EXTERNAL_ENTITY)
    return replace(replace(record, revision=3, raw={"x": 1}), **changes)


def a_site(**changes: Any) -> Site:
    """A site whose stars, 1 to 5, are a hundred points on Wix."""
    stars = Scale(Decimal(1), Decimal(5), Decimal(1))
    points = Scale(Decimal(0), Decimal(100), Decimal(1))
    fields = (FieldMap("overall", "value", points, stars),)
    return replace(
        Site(1, "instance-1", "shop", Policy(), fields, external_source="shop"), **changes
    )
