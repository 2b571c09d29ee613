"""The port ``SiteStates``: sites that come and go."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from sync_worker.core.values import Side, SiteState
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.integration.ledger.ground import ADA, Ground
from tests.simulation.world import OVERALL
from tests.twins.observed_ledger import ObservedLedger


def site_state(ground: Ground) -> str:
    return str(ground.ledger.inbox.open_delivery(ground.stored(77))[1].state)


class TestSites:
    def test_removed_site_keeps_its_rows_and_installing_brings_it_back(
        self,
        ground: Ground,
    ) -> None:
        """A removed site keeps its rows and installing brings it back with what waited."""
        waiting = ground.stored(1)
        assert ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, 100.0) == []
        assert site_state(ground) == "removed"
        ground.ledger.inbox.hold([waiting], "site_removed")
        assert ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, 200.0) == [
            waiting
        ]
        assert site_state(ground) == "active"
        assert ground.ledger.directory.contact(ground.site_id, email=ADA.email) == ADA

    def test_late_removal_does_not_undo_a_newer_installation(self, ground: Ground) -> None:
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, 200.0)
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, 100.0)
        assert site_state(ground) == "active"

    @pytest.mark.parametrize("state", [SiteState.PAUSED, SiteState.RECOVERY])
    def test_installing_does_not_resume_a_site_that_a_person_holds_back(
        self, ground: Ground, state: SiteState
    ) -> None:
        ground.ledger.sites.note_lifecycle(ground.site_id, state, None)
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, 200.0)
        assert site_state(ground) == state


def test_site_is_read_once_for_all_its_names(ledgers: list[ObservedLedger]) -> None:
    """A delivery is found by its source; what it leads to names the site by its number."""
    ledger, read = sql_ledger(ledgers[0].engine), list[str]()
    site = ledgers[0].add_site("instance-1", "own-service", None, (OVERALL,))

    @event.listens_for(ledgers[0].engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        read.append(statement)

    with ledger.transactions.read() as connection:
        cache = ledger.site_cache
        assert cache.by_source(connection, Side.WIX, "instance-1") == site
        assert cache.by_id(connection, site.id) == site
        assert cache.by_source(connection, Side.EXTERNAL, "own-service") == site
    assert len([one for one in read if "field_map" in one]) == 1
