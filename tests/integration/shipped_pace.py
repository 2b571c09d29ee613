"""Both sides with the request budgets that ship, on a clock whose waits take no time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import EntityRef, Site
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.wiring import SWEEP_THREADS, Wiring

PRODUCTS = {f"product-{number}": str(101 + number) for number in range(10)}
VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
CONNECTORS = [None, "woocommerce", "fera", "bigcommerce"]


class JumpingClock:
    """Whoever waits on it is there at once, and so is everybody else."""

    def __init__(self) -> None:
        self._now, self._turn = 1000.0, threading.Lock()

    def __call__(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        until = self._now + max(seconds, 0.001)
        with self._turn:
            self._now = max(self._now, until)


@dataclass
class Shop:
    """A site between both stand-ins, its products mapped, and what reconciles them."""

    box: Sandbox
    wiring: Wiring
    site: Site
    clock: JumpingClock
    environ: dict[str, str]
    planned_writes: list[PlannedWrite] = field(default_factory=list)

    def rate_outside(self, number: int, stars: int = 4, prefix: str = "person") -> None:
        """Ten ratings a person, one a product."""
        email, product = f"{prefix}{number // 10}@example.com", list(PRODUCTS.values())[number % 10]
        platform = self.box.platform
        if platform is not None:
            name = f"{prefix.title()} {number // 10}"
            text = f"Number {number}"
            platform.create(product, email, name, stars, by="visitor", title="Seen", text=text)
            return
        author = {"email": email, "display_name": prefix}
        draft = {"subject": {"id": product}, "author": author, "score": Decimal(stars)}
        self.box.reviews.create(draft, by="visitor")

    def rate_on_wix(self, number: int, value: int = 80) -> None:
        contact = self.box.wix.find_contacts(
            {"info.emails.email": {"$in": [f"person{number // 10}@example.com"]}}
        )[0]
        rating: dict[str, object] = {
            "namespace": "reviews",
            "group": "stores",
            "attributeName": "overall",
        }
        rating |= {"entityId": f"product-{number % 10}", "value": value}
        self.box.wix.create_rating(rating | {"owner": {"contactId": contact["id"]}}, VISITOR)

    def add_people(self, count: int) -> None:
        for number in range(count):
            self.box.wix.add_contact(f"person{number}@example.com", f"Person {number}")

    def run(self, kind: RunKind = RunKind.SWEEP) -> list[Forecast]:
        """Plan, and where it is no dry run carry out; what was planned."""
        with ThreadPoolExecutor(SWEEP_THREADS) as pool:
            pace = Pace(self.clock.wait, lambda jobs: list(pool.map(lambda job: job(), jobs)))
            run = self.begin(kind, pace)
            assert run.list_both()
            assert run.confirm_absences()
            forecasts = [forecast for _, forecast in run.forecasts()]
            if kind is RunKind.DRY_RUN:
                self.wiring.sweeps.runs.end(run.sweep)
            else:
                assert run.apply()
        return forecasts

    def begin(self, kind: RunKind, pace: Pace) -> Reconcile:
        sweep = self.wiring.sweeps.runs.begin(self.site.id, kind)
        assert sweep is not None
        return self.wiring.sweeps.reconcile(self.site, sweep, pace, self.planned_writes.append)

    def written_outside(self) -> list[dict[str, object]]:
        platform = self.box.platform
        journal = self.box.reviews.journal if platform is None else platform.journal
        return [entry for entry in journal if entry["by"] == "app"]

    def external_calls(self) -> Counter[str]:
        return self.box.platform.calls if self.box.platform else self.box.reviews.calls

    def calls(self) -> tuple[Counter[str], Counter[str]]:
        """To Wix without the token, and to the external system; they are counted anew then."""
        wix, external = Counter(self.box.wix.calls), Counter(self.external_calls())
        del wix["POST /oauth2/token"]
        self.box.wix.calls.clear()
        self.external_calls().clear()
        return wix, external


@contextmanager
def a_shop(folder: Path, platform: str | None, **settings: str) -> Iterator[Shop]:
    """``platform`` ``None``: the reference review service."""
    options = SandboxOptions(rate_per_minute=None, platform=platform, at_shipped_pace=True)
    with Sandbox(options) as box:
        environ = {**box.settings(folder), "RATINGS_SYNC_HOME": str(folder), **settings}
        if box.platform is not None:
            (folder / f"{box.connector}.yaml").write_text(box.manifest())
        clock = JumpingClock()
        wiring = Wiring(load_settings(environ), environ, clock)
        connector = wiring.manifests[box.connector]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, connector.id, [default_field(connector)]
        )
        pairs = [
            (EntityRef(wix, "stores", "reviews"), EntityRef(external))
            for wix, external in PRODUCTS.items()
        ]
        wiring.admin.mappings.import_entities(site, pairs)
        yield Shop(box, wiring, site, clock, environ)
        wiring.close()
