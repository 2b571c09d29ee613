"""Many sites with one app: each is an instance of the stand-in Wix and has a system of its own
outside, with credentials of its own.

Their records and some of their people have the same names, so that whatever reaches another site is
taken there for its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from flask import Flask

from sync_sandbox.faults import WEBHOOK_FAULTS, Faults
from sync_sandbox.platforms.apps import create_platform_app
from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.fera import Fera
from sync_sandbox.platforms.platform import Platform
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.served import Served
from sync_sandbox.webhooks import WebhookSender
from sync_sandbox.wix.app import create_wix_app
from sync_sandbox.wix.door import UNKNOWN, WixDoor, instance_id_of, token_prefix_of
from sync_sandbox.wix.events import key_of_wix
from sync_sandbox.wix.state import WixState
from sync_sandbox.wix_side import GROUP, NAMESPACE, NO_WORDS, RatingsSide
from sync_worker.core.values import EntityRef

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KINDS: tuple[type[Platform], ...] = (WooCommerce, Fera, BigCommerce)
PRODUCT, SOLD_AS = "mug", "101"  # what every shop sells, on Wix and outside


@dataclass
class ManySite:
    """One of many. ``expected``: what visitors made of it, by address: value on Wix and stars."""

    number: int
    wix: WixState
    platform: Platform
    base_url: str
    expected: dict[str, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def wix_app(self) -> Flask:
        return create_wix_app(self.wix)

    @cached_property
    def platform_app(self) -> Flask:
        return create_platform_app(self.platform)

    @property
    def connector(self) -> str:
        return f"{self.platform.name}-sandbox"

    @property
    def environment(self) -> dict[str, str]:
        """What its owner gives, by the names that the shipped manifests read."""
        return {"WOO_BASE_URL": self.base_url, **self.platform.settings()}

    @property
    def pair(self) -> tuple[EntityRef, EntityRef]:
        return EntityRef(PRODUCT, GROUP, NAMESPACE), EntityRef(SOLD_AS)

    # -- what visitors do

    def rate_on_wix(self, email: str, stars: int) -> None:
        contact = self.wix.add_contact(email, "Visitor")["id"]
        self.expected[email] = (stars * 20, stars)
        RatingsSide(self.wix).rate(str(contact), PRODUCT, stars * 20, NO_WORDS)

    def rate_outside(self, email: str, stars: int) -> None:
        """Somebody whom the site knows."""
        self.wix.add_contact(email, "Visitor")
        self.expected[email] = (stars * 20, stars)
        self.platform.create(SOLD_AS, email, "Visitor", stars, by="visitor", text="Nice")

    # -- what both sides show

    def shown(self) -> dict[str, tuple[int | None, int | None]]:
        """By address: value on Wix and stars outside."""
        with self.wix.lock:
            contacts = {
                one["id"]: str(one["primaryInfo"].get("email"))
                for one in self.wix.contacts.values()
            }
        seen = RatingsSide(self.wix).seen()
        on_wix = {
            contacts.get(contact, contact): int(value) for (_, contact), (value, _) in seen.items()
        }
        outside = {one.email: one.stars for one in self.platform.live()}
        return {one: (on_wix.get(one), outside.get(one)) for one in {*on_wix, *outside}}

    def is_as_expected(self) -> bool:
        return self.shown() == self.expected

    def written(self) -> int:
        """How many writes of ours reached it, on both sides."""
        journals = (list(self.wix.journal), list(self.platform.journal))
        return sum(entry["by"] == "app" for journal in journals for entry in journal)


class ManySites:
    """``with ManySites() as many: site = many.add()``; kinds of systems take turns."""

    def __init__(self, *, sender_threads: int = 4) -> None:
        self.sites: list[ManySite] = []
        self._key = key_of_wix()
        faults = Faults(WEBHOOK_FAULTS, 0)
        self.senders = {
            kind: WebhookSender(
                None,
                faults,
                accepts=lambda status: status == 200,
                retry_seconds=[1.0] * 300,  # as patient as they are in reality
                threads=sender_threads,
            )
            for kind in (WixState, *KINDS)
        }
        self._wix_door = Served(WixDoor(self._wix_app_of), 0)
        self._doors = {kind: Served(_Door(self.sites, kind), 0) for kind in KINDS}

    def add(self, kind: type[Platform] | None = None) -> ManySite:
        """The app is installed on one more site, whose shop is of this kind."""
        number = len(self.sites)
        kind = kind or KINDS[number % len(KINDS)]
        wix = WixState(
            instance_id=instance_id_of(number),
            rate_per_minute=None,
            sender_threads=0,
            sender=self.senders[WixState],
            key=self._key,
            token_prefix=token_prefix_of(number),
        )
        platform = kind(webhooks=self.senders[kind])
        platform.stand_apart(number)
        if isinstance(platform, BigCommerce):
            platform.products.add(int(SOLD_AS))
        site = ManySite(number, wix, platform, f"{self._doors[kind].url}/shops/{number}")
        self.sites.append(site)
        return site

    def _wix_app_of(self, number: str) -> Flask | None:
        if not number.isdigit() or int(number) >= len(self.sites):
            return None
        return self.sites[int(number)].wix_app

    # -- what an installation is given

    def settings(self, folder: str) -> dict[str, str]:
        """``folder``: where ``manifests()`` are kept."""
        app = WixState(sender=self.senders[WixState], key=self._key)
        return {
            "WIX_APP_ID": app.app_id,
            "WIX_APP_SECRET": app.app_secret,
            "WIX_PUBLIC_KEY": app.public_key.replace("\n", "\\n"),
            "WIX_API_BASE_URL": self._wix_door.url,
            "CONNECTORS": ",".join(f"{folder}/{name}" for name in self.manifests()),
        }

    def manifests(self) -> dict[str, str]:
        """By file name: the shipped ones, pointed at the stand-ins, at any pace."""
        return {
            f"{kind.name}-sandbox.yaml": (
                f"version: 1\nextends: {kind.name}\nid: {kind.name}-sandbox\n"
                f"{self._base_url(kind)}allow_private_hosts: true\noutbound: on\n"
                "http: {budget: {requests: 200, per_s: 1, concurrency: 8}}\n"
            )
            for kind in KINDS
        }

    def _base_url(self, kind: type[Platform]) -> str:
        """Where a shop has an address of its own, its account gives it."""
        return "" if kind is WooCommerce else f"base_url: {self._doors[kind].url}\n"

    def send_webhooks_to(self, gateway_url: str) -> None:
        """Wix's go to one address; a hook of each shop has its own."""
        for sender in self.senders.values():
            sender.url = f"{gateway_url}/webhooks/wix"

    def pending(self) -> int:
        return sum(sender.pending() for sender in self.senders.values())

    def stop(self) -> None:
        for sender in self.senders.values():
            sender.stop()
        for door in (self._wix_door, *self._doors.values()):
            door.stop()

    def __enter__(self) -> ManySites:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class _Door:
    """Serves all shops of one kind: by their path, their store's name, or their key."""

    sites: list[ManySite]
    kind: type[Platform]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        site = self._site(environ)
        if site is None or not isinstance(site.platform, self.kind):
            start("401 Unauthorized", [("Content-Length", str(len(UNKNOWN)))])
            return [UNKNOWN]
        return site.platform_app(environ, start)

    def _site(self, environ: WSGIEnvironment) -> ManySite | None:
        _, root, name, *rest = [*str(environ["PATH_INFO"]).split("/"), "", ""]
        number = name.removeprefix("store")
        if self.kind is Fera:
            number = str(environ.get("HTTP_SECRET_KEY", "")).rpartition("_")[2]
        if self.kind is WooCommerce:
            environ["SCRIPT_NAME"] = f"/{root}/{name}"
            environ["PATH_INFO"] = "/" + "/".join(rest).rstrip("/")
        if not number.isdigit() or int(number) >= len(self.sites):
            return None
        return self.sites[int(number)]
