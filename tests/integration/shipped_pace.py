"""Both sides with the request budgets that ship, on a clock whose waits take no time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select, update

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import SyncError
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import EntityRef, Site
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import run
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.wiring import SWEEP_THREADS, Wiring

PRODUCTS = {f"product-{number}": str(101 + number) for number in range(10)}
VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
# The smallest budget each time, the others in the long round; ``None``: the reference service.
CONNECTORS = [
    "woocommerce",
    *(pytest.param(name, marks=pytest.mark.full) for name in (None, "fera", "bigcommerce")),
]


class JumpingClock:
    """Whoever waits on it is there at once, and so is everybody else, and every lease."""

    def __init__(self) -> None:
        self._skipped, self._turn = 0.0, threading.Lock()

    def __call__(self) -> float:
        return time.monotonic() + self._skipped

    def now(self) -> float:
        """In seconds since 1970, for the ledger."""
        return time.time() + self._skipped

    def wait(self, seconds: float) -> None:
        until = self() + seconds
        with self._turn:
            self._skipped += max(0.0, until - self())


def far_hour() -> str:
    """A time of the daily sweeps that is twelve hours away, in either direction."""
    return (datetime.now(UTC) + timedelta(hours=12)).strftime("%H:%M")


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
            work = self.begin(kind, pace)
            try:
                assert work.list_both()
                assert work.confirm_absences()
                forecasts = [forecast for _, forecast in work.forecasts()]
            except SyncError:
                work.runs.release_run(work.sweep)
                raise
            if kind is RunKind.DRY_RUN:
                work.runs.end(work.sweep)
            else:
                assert work.apply()
        return forecasts

    def begin(self, kind: RunKind, pace: Pace) -> Reconcile:
        sweep = self.wiring.sweeps.runs.begin(self.site.id, kind)
        assert sweep is not None
        return self.wiring.sweeps.reconcile(self.site, sweep, pace, self.planned_writes.append)

    def written_outside(self) -> list[dict[str, object]]:
        platform = self.box.platform
        journal = self.box.reviews.journal if platform is None else platform.journal
        return [entry for entry in journal if entry["by"] == "app"]

    def run_state(self) -> tuple[str, dict[str, int]]:
        """Of the last run: its state and counts."""
        with self.wiring.sweeps.runs._transactions.read() as connection:
            row = connection.execute(select(run).order_by(run.c.id.desc()).limit(1)).one()
        return row.state, dict(row.counts)

    def age_runs(self, seconds: float) -> None:
        with self.wiring.sweeps.runs._transactions.write() as connection:
            connection.execute(update(run).values(started_at=run.c.started_at - seconds))

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
def a_shop(
    folder: Path, platform: str | None, most_pages: int = 10_000, more: str = ""
) -> Iterator[Shop]:
    """``platform`` ``None``: the reference review service.

    ``most_pages``: that a listing may have by the manifest; ``more``: other lines of it.
    """
    folder.mkdir(exist_ok=True)
    options = SandboxOptions(rate_per_minute=None, platform=platform, at_shipped_pace=True)
    with Sandbox(options) as box:
        # No sweep is due for the hour at which the tests happen to run.
        environ = {**box.settings(folder), "RATINGS_SYNC_HOME": str(folder)}
        environ["RECONCILE_AT"] = far_hour()
        if box.platform is not None:
            limit = f"operations: {{list: {{pagination: {{max_pages: {most_pages}}}}}}}\n"
            (folder / f"{box.connector}.yaml").write_text(box.manifest() + limit + more)
        clock = JumpingClock()
        wiring = Wiring(load_settings(environ), environ, clock)
        engine = open_engine(wiring.settings.database, clock=clock.now)
        wiring.sweeps.__dict__["ledger"] = sql_ledger(engine)
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
        engine.dispose()
