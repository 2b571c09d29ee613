"""A site of Wix Ratings with links and deliveries, about to change to Wix Reviews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.sweep_values import OnFile, RunKind
from sync_worker.core.values import Link, Side, SiteState, WixKind
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.statements.links import read_link
from tests.integration.ledger.ground import Ground
from tests.simulation.world import OVERALL
from tests.twins.observed_ledger import ObservedLedger

ONE, FIVE = Decimal(1), Decimal(5)
STARS = FieldMap("overall", "value", Scale(ONE, FIVE, ONE), OVERALL.external)
REVIEWS, RATINGS = WixKind.REVIEWS, WixKind.RATINGS


@dataclass
class ChangeGround:
    """A ledger with links of two people, and what changes the API of its site."""

    ground: Ground

    @property
    def ledger(self) -> Any:
        return self.ground.ledger

    @property
    def admin(self) -> LedgerAdmin:
        return ledger_admin(self.ledger.engine)

    def change(self, kind: WixKind) -> Any:
        """As the command does it, but for its waiting."""
        self.admin.sites.set_state(self.ground.site_id, SiteState.PAUSED)
        return self.admin.wix_change.change(self.ground.site_id, kind, [STARS], SiteState.RECOVERY)

    def link(self, link_id: int) -> Link:
        with self.ledger.transactions.read() as connection:
            return read_link(connection, link_id)

    def on_file(self, side: Side, remote_id: str) -> OnFile | None:
        site = self.ledger.site(self.ground.site_id)
        found: OnFile | None = self.ledger.sweeps.on_file(site, side, [remote_id]).get(remote_id)
        return found

    def compare(self) -> None:
        """The new baseline, confirmed and done."""
        sweep = self.ledger.sweeps.begin(self.ground.site_id, RunKind.SWEEP)
        assert sweep.kind is RunKind.BASELINE
        self.ledger.sweeps.end(sweep)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def site(request: pytest.FixtureRequest) -> Iterator[ChangeGround]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield ChangeGround(Ground(ObservedLedger(engine), None).set_up())
    engine.dispose()
