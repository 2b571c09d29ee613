"""The sites of the stand-in dashboard: each an instance of the app, with a shop of its own outside.

Their owners find the shop's values on its page, and put the address for its webhooks there.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

from sync_sandbox.products import Product
from sync_sandbox.reviews import ReviewsState, create_reviews_app
from sync_sandbox.wix.app import create_wix_app
from sync_sandbox.wix.door import instance_id_of, token_prefix_of
from sync_sandbox.wix.state import WixState
from sync_sandbox.wix_side import ReviewsSide, Words

FIRST_NUMBER = 2  # the demo's own site is number 1
VISITOR = "visitor"
# On Wix; the shop outside sells the same by the SKU, or by a name alone.
ON_WIX = (
    Product("wix-teapot", "Teapot", "TEA-1"),
    Product("wix-cup", "Cup of stoneware", "TEA-2"),
    Product("wix-whisk", "Bamboo whisk"),
)
OUTSIDE = (
    Product("501", "Teapot, 1 litre", "TEA-1"),
    Product("502", "Cup", "TEA-2"),
    Product("503", "Bamboo whisk"),
)
PEOPLE = (("ada@example.com", "Ada"), ("ben@example.com", "Ben"), ("cleo@example.com", "Cleo"))


@dataclass(frozen=True, slots=True)
class Seen:
    """A rating as a visitor sees it; ``stars``: in halves outside."""

    person: str
    product: str
    stars: Decimal
    words: Words

    @property
    def shown(self) -> str:
        return f"{self.stars.normalize():f}"


@dataclass
class OwnerSite:
    """One site. ``base_url``: of its shop outside; ``is_installed``: the app is, on this site."""

    number: int
    wix: WixState
    shop: ReviewsState
    base_url: str
    is_installed: bool = False
    last_instance: str = field(default="", repr=False)  # with which the app's page was opened

    @property
    def name(self) -> str:
        return f"Tea house {self.number - FIRST_NUMBER + 1}"

    @cached_property
    def wix_app(self) -> Flask:
        return create_wix_app(self.wix)

    @cached_property
    def shop_app(self) -> Flask:
        return create_reviews_app(self.shop)

    def install(self, webhook_url: str | None) -> None:
        """Wix tells the app, once; from now on it tells what happens on the site, too."""
        if not self.is_installed:
            self.is_installed = True
            self.wix.webhooks.url = webhook_url
            self.wix.install()

    def send_shop_webhooks_to(self, url: str) -> bool:
        """Returns whether it is an address that can be sent to."""
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        self.shop.webhooks.url = url.strip()
        return True

    # -- what visitors do; what they rated before is changed

    def rate_on_wix(self, email: str, product: str, stars: int, words: Words) -> None:
        """Raises Refusal, LookupError: nobody has this address."""
        contact = next(
            id_ for id_, one in self.wix.contacts.items() if one["primaryInfo"]["email"] == email
        )
        side = ReviewsSide(self.wix)
        if (review_id := side.id_of(contact, product)) is None:
            side.rate(contact, product, stars, words)
        else:
            side.change(review_id, stars, words)

    def rate_outside(self, email: str, product: str, stars: str, words: Words) -> None:
        """Raises Refusal."""
        name = dict(PEOPLE).get(email, "Somebody")
        draft = {
            "subject": {"id": product},
            "author": {"email": email, "display_name": name},
            "score": stars,
            "headline": words.title or None,
            "text": words.body or None,
        }
        if found := self.shop.find(product, email):
            self.shop.change(str(found[0]["id"]), draft, by=VISITOR)
        else:
            self.shop.create(draft, by=VISITOR)

    # -- what they see

    def seen_on_wix(self) -> list[Seen]:
        names = {product.id: product.name for product in ON_WIX}
        people = {one["id"]: one["info"]["name"]["first"] for one in self._contacts()}
        return [
            Seen(people.get(contact, "?"), names.get(product, product), stars, words)
            for (product, contact), (stars, words) in ReviewsSide(self.wix).seen().items()
        ]

    def seen_outside(self) -> list[Seen]:
        names = {product.id: product.name for product in OUTSIDE}
        with self.shop.lock:
            ratings = [one for one in self.shop.ratings.values() if one["visibility"] == "public"]
        return [
            Seen(
                one["author"]["display_name"],
                names.get(one["subject"]["id"], one["subject"]["id"]),
                Decimal(one["score"]),
                Words(one["headline"] or "", one["text"] or ""),
            )
            for one in ratings
        ]

    def _contacts(self) -> list[dict[str, Any]]:
        with self.wix.lock:
            return list(self.wix.contacts.values())


class OwnerSites:
    """All of them, by number. ``wix``: the app's first instance, whose key and secret they share.

    ``shops_url``: below it each shop has its address.
    """

    def __init__(self, wix: WixState, shops_url: str) -> None:
        self._wix, self._shops_url = wix, shops_url
        self._retry_scale = wix.retry_scale
        self._by_number: dict[int, OwnerSite] = {}
        self.add()

    @property
    def all(self) -> Sequence[OwnerSite]:
        return list(self._by_number.values())

    def find(self, number: int) -> OwnerSite | None:
        return self._by_number.get(number)

    def add(self) -> OwnerSite:
        """One more site, where the app is not installed yet; its shop has two ratings already."""
        number = FIRST_NUMBER + len(self._by_number)
        wix = WixState(
            app_id=self._wix.app_id,
            app_secret=self._wix.app_secret,
            instance_id=instance_id_of(number),
            token_prefix=token_prefix_of(number),
            retry_scale=self._retry_scale,
            sender_threads=1,
        )
        wix.catalog.products = list(ON_WIX)
        for email, name in PEOPLE:
            wix.add_contact(email, name)
        shop = ReviewsState(
            token=f"token-{secrets.token_hex(8)}",
            webhook_secret=f"secret-{secrets.token_hex(8)}",
            catalogue=list(OUTSIDE),
            retry_scale=self._retry_scale,
            sender_threads=1,
        )
        site = OwnerSite(number, wix, shop, f"{self._shops_url}/{number}")
        site.rate_outside("ada@example.com", "501", "5", Words("Pours well", "Not a drop lost."))
        site.rate_outside("ben@example.com", "502", "3.5", Words())
        self._by_number[number] = site
        return site

    def install(self, site: OwnerSite) -> None:
        """The app, on one of them; Wix tells it where it tells of the first site."""
        site.install(self._wix.webhooks.url)

    def stop(self) -> None:
        for site in self.all:
            site.wix.webhooks.stop()
            site.shop.webhooks.stop()
