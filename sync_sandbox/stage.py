"""A whole installation between both stand-ins, in a folder of its own: for the demo, the benchmarks
and the tests.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix_side import GROUP, NAMESPACE, NO_WORDS, WixSide, Words, wix_side
from sync_worker.config import load_settings
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import EntityRef, Site, WixKind
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.questions import LedgerStatus
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.waiting import wait_until
from sync_worker.wiring import Wiring, installation
from sync_worker.wiring.console_entry import public_url


@dataclass(frozen=True, slots=True)
class Rated:
    """What both sides show for one person and one product; ``None``: no rating there."""

    product: str
    email: str
    wix: Decimal | None
    external: Decimal | None


@dataclass
class Stage:
    """``with Stage(folder, environ, products) as stage``: everything is up, the site is set up.

    ``environ``: the least environment of the processes; ``settings``: what differs from the
    sandbox's settings. ``products``: Wix entity id to external id. ``fields``: what is mapped; by
    default `overall` to the main value. ``wix_api``: where on Wix the site's ratings are.
    """

    folder: Path
    environ: Mapping[str, str]
    products: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    options: SandboxOptions = field(default_factory=SandboxOptions)
    fields: Sequence[FieldMap] = ()
    workers: int = 1
    flower_port: int | None = None
    with_console: bool = False
    wix_api: WixKind = WixKind.RATINGS
    say: Callable[[str, str], None] = lambda name, line: None

    def start(self) -> None:
        self.box = Sandbox(self.options)
        try:
            if self.box.platform is not None:
                (self.folder / f"{self.box.connector}.yaml").write_text(self.box.manifest())
            self.everything = self.box.settings(self.folder) | {
                "RATINGS_SYNC_HOME": str(self.folder),
                "GATEWAY_BIND": f"127.0.0.1:{free_port()}",
                "CONSOLE_BIND": f"127.0.0.1:{free_port()}",
                "LOG_LEVEL": "WARNING",
            }
            self.everything |= self._of_the_dashboard()
            self.everything = {**self.environ, **self.everything, **self.settings}
            self.parts = installation(
                self.everything,
                self.say,
                workers=self.workers,
                flower_port=self.flower_port,
                folder=self.folder,
                with_console=self.with_console,
            )
            self._set_up()
            self.parts.start()
            self.box.send_webhooks_to(self.parts.gateway_url)
            if self.box.dashboard is not None and self.parts.has_console:
                self.box.dashboard.console_url = public_url(self.wiring.settings)
        except BaseException:
            self.box.stop()
            raise

    def _of_the_dashboard(self) -> dict[str, str]:
        """The dashboard may frame the console, and shows whole addresses of the gateway."""
        if self.box.dashboard is None:
            return {}
        return {
            "CONSOLE_FRAME_ANCESTORS": self.box.dashboard.url,
            "WIX_NEW_SITES": WixKind.REVIEWS,
            "GATEWAY_PUBLIC_URL": f"http://{self.everything['GATEWAY_BIND']}",
        }

    def _set_up(self) -> None:
        """What a person does once: add the site, map the products."""
        connector = self.wiring.manifests[self.box.connector]
        self.site: Site
        fields = self.fields or [default_field(connector, self.wix_api)]
        self.site, _ = self.admin.sites.add(
            self.box.wix.instance_id, connector.id, fields, wix_api=self.wix_api
        )
        pairs = [
            (EntityRef(wix, GROUP, NAMESPACE), EntityRef(external))
            for wix, external in self.products.items()
        ]
        self.admin.mappings.import_entities(self.site, pairs)

    @cached_property
    def wiring(self) -> Wiring:
        return Wiring(load_settings(self.everything), self.everything)

    @cached_property
    def admin(self) -> LedgerAdmin:
        return self.wiring.admin

    def stop(self) -> None:
        self.parts.stop()
        self.wiring.close()
        self.box.stop()

    def __enter__(self) -> Stage:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def redis_url(self) -> str:
        """The broker's address, password included."""
        return load_settings(self.parts.environ).broker

    # -- acting, as visitors do

    def add_person(self, email: str, name: str) -> str:
        """A contact of the Wix site; its id."""
        return str(self.box.wix.add_contact(email, name)["id"])

    @cached_property
    def on_wix(self) -> WixSide:
        """What visitors do on Wix, in the API that the site uses."""
        return wix_side(self.wix_api, self.box.wix)

    def rate_on_wix(
        self, contact_id: str, product: str, value: int, words: Words = NO_WORDS
    ) -> str:
        return self.on_wix.rate(contact_id, product, value, words)

    def change_on_wix(
        self, rating_id: str, value: int | None = None, words: Words | None = None
    ) -> None:
        self.on_wix.change(rating_id, value, words)

    def rate_on_external(self, email: str, name: str, product: str, stars: Decimal) -> str:
        author = {"email": email, "display_name": name}
        draft = {"subject": {"id": self.products[product]}, "author": author, "score": stars}
        return str(self.box.reviews.create(draft, by="visitor")["id"])

    def change_on_external(self, rating_id: str, stars: Decimal) -> None:
        self.box.reviews.change(rating_id, {"score": stars}, by="visitor")

    def wix_id(self, email: str, product: str) -> str:
        """Id of the rating on Wix. Raises LookupError if there is none."""
        contact_id = next(
            one for one, address in self.emails_by_contact().items() if address == email
        )
        found = self.on_wix.id_of(contact_id, product)
        if found is None:
            raise LookupError(f"{email} has not rated {product} on Wix")
        return found

    def external_id(self, email: str, product: str) -> str:
        return str(self.box.reviews.find(self.products[product], email)[0]["id"])

    # -- acting, as the owner does

    def command(self, *words: str) -> None:
        """``ratings-sync`` with the stage's settings. Raises CalledProcessError."""
        program = [sys.executable, "-c", "from sync_worker.cli.main import main; main()", *words]
        environ = self.everything | {"REDIS_URL": self.redis_url}
        subprocess.run(  # noqa: S603 - our own command
            program, env=environ, cwd=self.folder, check=True, capture_output=True
        )

    def move_to(self, wix_api: WixKind) -> None:
        """The site uses the other API of Wix from now on, and both sides are compared anew."""
        self.command("site", "set", "--wix-api", str(wix_api), "--yes")
        self.command("reconcile", "--yes")
        self.wix_api, self.site = wix_api, self.admin.sites.find(None)
        del self.on_wix

    # -- asking

    def emails_by_contact(self) -> dict[str, str]:
        return {
            one["id"]: str(one["primaryInfo"].get("email"))
            for one in list(self.box.wix.contacts.values())
        }

    def rated(self) -> list[Rated]:
        """Both sides, side by side, as they are now."""
        wix, external = self.rated_on_wix(), self.rated_outside()
        keys = dict.fromkeys([*wix, *external])
        return [Rated(*key, wix.get(key), external.get(key)) for key in keys]

    def rated_on_wix(self) -> dict[tuple[str, str], Decimal]:
        """Product and person → value."""
        contacts = self.emails_by_contact()
        return {
            (product, contacts.get(contact_id, "?")): value
            for (product, contact_id), (value, _) in self.on_wix.seen().items()
        }

    def words_on_wix(self, email: str, product: str) -> Words | None:
        """What a person wrote of a product, as visitors see it."""
        contacts = self.emails_by_contact()
        for (entity, contact_id), (_, words) in self.on_wix.seen().items():
            if (entity, contacts.get(contact_id)) == (product, email):
                return words
        return None

    def rated_outside(self) -> dict[tuple[str, str], Decimal]:
        """The same of the external stand-in."""
        names = {external: wix_name for wix_name, external in self.products.items()}
        with self.box.reviews.lock:
            return {
                (_name_of(one, names), one["author"]["email"].lower()): Decimal(one["score"])
                for one in self.box.reviews.ratings.values()
                if one["visibility"] != "removed"
            }

    def words_outside(self, email: str, product: str) -> Words | None:
        """The same of the external stand-in."""
        for one in self.box.reviews.find(self.products.get(product, product), email):
            return Words(one.get("headline") or "", one.get("text") or "")
        return None

    def is_in_step(self, rated: Rated) -> bool:
        if rated.wix is None or rated.external is None:
            return False
        return self.site.fields[0].agree(rated.wix, rated.external)

    def differences(self) -> list[Rated]:
        return [one for one in self.rated() if not self.is_in_step(one)]

    def writes(self) -> Counter[str]:
        """Effective writes on both sides so far, by ``visitor`` and ``app``."""
        journals: Sequence[list[dict[str, object]]] = (
            self.box.wix.journal,
            self.box.reviews.journal,
        )
        return Counter(str(entry["by"]) for journal in journals for entry in list(journal))

    def status(self) -> LedgerStatus:
        return self.admin.questions.status()

    def is_quiet(self) -> bool:
        """No webhook on its way, no delivery open, no write of unknown outcome."""
        if self.box.wix.webhooks.pending() or self.box.reviews.webhooks.pending():
            return False
        now = self.status()
        return not (
            now.deliveries.get("new", 0) or now.deliveries.get("taken", 0) or now.open_intents
        )

    def wait_until(
        self, condition: Callable[[], bool], timeout_seconds: float, pause_seconds: float = 0.05
    ) -> bool:
        """Whether the condition came true in time."""
        return wait_until(condition, timeout_seconds, pause_seconds=pause_seconds)


def _name_of(rating: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The product as Wix calls it, or as only the other side does: visitors rate what they like."""
    subject = str(rating["subject"]["id"])
    return names.get(subject, subject)
