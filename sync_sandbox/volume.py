"""Two full systems that have never met: many ratings on both sides, half of them twins, loaded
without a webhook.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync_sandbox.server import Sandbox

NAMESPACE, GROUP = "reviews", "stores"
OWNER = {"identityType": "WIX_USER", "wixUserId": "owner"}
PEOPLE_EACH = 10  # ratings by one person


@dataclass(frozen=True, slots=True)
class Volume:
    """How much there is. ``each_side`` ratings, half of them twins; of the twins ``conflicting``
    say something else.

    ``strangers``: external ratings by people who are no contacts (among those that Wix does not
    have).
    """

    each_side: int
    conflicting: int
    strangers: int

    @property
    def twins(self) -> int:
        return self.each_side // 2

    @property
    def products(self) -> dict[str, str]:
        return {f"product-{number}": f"SKU-{number}" for number in range(PEOPLE_EACH)}


@contextmanager
def silently(box: Sandbox) -> Iterator[None]:
    """What happens inside sends no webhook."""
    urls = box.wix.webhooks.url, box.reviews.webhooks.url
    box.wix.webhooks.url = box.reviews.webhooks.url = None
    try:
        yield
    finally:
        box.wix.webhooks.url, box.reviews.webhooks.url = urls


def load(box: Sandbox, volume: Volume) -> None:
    """Fill both stand-ins: first the twins, then what only Wix has, then what only the other side
    has.
    """
    with silently(box):
        for number in range(volume.each_side):
            _rate_on_wix(box, number, _value(number))
        for number in range(volume.twins):
            value = _value(number + 1) if number < volume.conflicting else _value(number)
            _rate_outside(box, number, value)
        for number in range(volume.each_side, 2 * volume.each_side - volume.twins):
            is_stranger = number >= 2 * volume.each_side - volume.twins - volume.strangers
            _rate_outside(
                box, number, _value(number), prefix="stranger" if is_stranger else "person"
            )


def _value(number: int) -> int:
    """Stars, 1 to 5."""
    return number % 5 + 1


def _rate_on_wix(box: Sandbox, number: int, stars: int) -> None:
    rating = {
        "namespace": NAMESPACE,
        "group": GROUP,
        "entityId": f"product-{number % PEOPLE_EACH}",
        "attributeName": "overall",
        "value": stars * 20,
        "owner": {"contactId": contact_of(box, number // PEOPLE_EACH)},
    }
    box.wix.create_rating(rating, {"identityType": "MEMBER", "memberId": "visitor"})


def contact_of(box: Sandbox, number: int) -> str:
    """The contact of a person, made when first asked for."""
    email = f"person{number}@example.com"
    known = box.wix.find_contacts({"info.emails.email": {"$in": [email]}})
    contact: dict[str, Any] = known[0] if known else box.wix.add_contact(email, f"Person {number}")
    return str(contact["id"])


def _rate_outside(box: Sandbox, number: int, stars: int, prefix: str = "person") -> None:
    if prefix == "person":
        contact_of(box, number // PEOPLE_EACH)
    author = {
        "email": f"{prefix}{number // PEOPLE_EACH}@example.com",
        "display_name": f"P {number}",
    }
    draft = {
        "subject": {"id": f"SKU-{number % PEOPLE_EACH}"},
        "author": author,
        "score": Decimal(stars),
    }
    box.reviews.create(draft, by="visitor")
