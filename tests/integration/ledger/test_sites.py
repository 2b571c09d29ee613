"""The port ``SiteStates``: sites that come and go."""

from __future__ import annotations

import pytest

from sync_worker.core.values import SiteState
from tests.integration.ledger.ground import ADA, Ground


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
