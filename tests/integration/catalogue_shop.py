"""A site between the stand-in Wix and a stand-in platform, whose catalogues are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_sandbox.products import Product
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.values import Side
from sync_worker.doctor.live.pace import pace_of
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.manifest.default_field import default_field
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.wiring import Wiring
from tests.integration.shipped_pace import JumpingClock

SOME = 230  # more than two pages of any system
CLOCK = JumpingClock()


def some(first: int = 1, count: int = SOME) -> list[Product]:
    return [Product(str(n), f"Mug {n}", f"SKU-{n}") for n in range(first, first + count)]


class Shop:
    """A site between the stand-in Wix and a platform (``None``: the review service)."""

    def __init__(self, folder: Path, platform: str | None) -> None:
        folder.mkdir()
        self.box = Sandbox(SandboxOptions(rate_per_minute=None, platform=platform))
        self.box.__enter__()
        environ = {**self.box.settings(folder), "RATINGS_SYNC_HOME": str(folder)}
        if self.box.platform is not None:
            (folder / f"{self.box.connector}.yaml").write_text(self.box.manifest())
        self.environ = environ
        self.wiring = Wiring(load_settings(environ), environ, CLOCK)
        self.manifest = self.wiring.manifests[self.box.connector]
        self.site, _ = self.wiring.admin.sites.add(
            self.box.wix.instance_id, self.box.connector, [default_field(self.manifest)]
        )

    @property
    def catalogues(self) -> dict[Side, Catalogue]:
        return dict(self.wiring.remotes.catalogues(self.site, CLOCK.wait))

    @property
    def live(self) -> LiveSystem:
        return LiveSystem(
            self.manifest, http_of(self.manifest, pace_of(self.manifest), OwnTokens())
        )

    def close(self) -> None:
        self.wiring.close()
        self.box.__exit__(None, None, None)


OpenShop = Callable[[str | None], Shop]


@contextmanager
def kept_shops() -> Iterator[dict[str | None, Shop]]:
    """By platform; closed at the end."""
    kept: dict[str | None, Shop] = {}
    yield kept
    for shop in kept.values():
        shop.close()


def opener(shops: dict[str | None, Shop], folder: Path) -> OpenShop:
    """One for each platform, shared by the tests of a file; without faults."""

    def opened(platform: str | None) -> Shop:
        shop = shops.get(platform) or shops.setdefault(platform, Shop(folder / "home", platform))
        shop.box.wix.faults.clear()
        (shop.box.platform or shop.box.reviews).faults.clear()
        return shop

    return opened
