"""Held deliveries: behind a link that stands still, for a contact or a site, and each once."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.hold_keys import contact_hold_key, email_hold_key
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Change, InboxState, LinkState, Side, SiteState
from sync_worker.ledger.administration.admin import ledger_admin
from tests.integration.ledger.ground import BOB, Ground
from tests.twins.observed_ledger import ObservedLedger


class TestLinkThatStandsStill:
    """A person has to release it; what frees one of its rows by itself leaves it as it is."""

    @pytest.fixture
    def held(self, ground: Ground) -> int:
        """A delivery that waits for a name, of a link that a person has to release."""
        run = ground.leased()
        (delivery,) = run.deliveries
        ground.ledger.links.commit(run.lease, Commit(link_state=LinkState.HELD))
        ground.ledger.inbox.hold([delivery.id], "site_paused", hold_key="contact:wix:a")
        ground.ledger.links.release(run.lease)
        return int(delivery.id)

    def state(self, ground: Ground) -> LinkState:
        link_id = ground.ledger.links.link_id(ground.key)
        state: LinkState = ground.ledger.links.lease(link_id).link.state
        return state

    def test_key_that_arrives_frees_no_held_link(self, ground: Ground, held: int) -> None:
        released = ground.ledger.inbox.release_held(ground.site_id, hold_key="contact:wix:a")
        assert (released, self.state(ground)) == ([held], LinkState.HELD)

    def test_site_that_goes_on_frees_no_held_link(self, ground: Ground, held: int) -> None:
        sites = ground.ledger.sites
        assert sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None) == []
        assert sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, None) == [held]
        assert self.state(ground) is LinkState.HELD

    def test_record_that_ends_frees_no_held_link(self, ground: Ground, held: int) -> None:
        told = ground.ledger.inbox.open_delivery(ground.stored(7))[0]
        assert ground.ledger.inbox.release_beside(told) == [held]
        assert self.state(ground) is LinkState.HELD

    def test_person_who_releases_frees_the_link(self, ground: Ground, held: int) -> None:
        assert ground.ledger.inbox.release_held(ground.site_id, inbox_ids=[held]) == [held]
        assert self.state(ground) is LinkState.LIVE

    def test_site_that_a_person_resumes_frees_no_held_link(self, ground: Ground, held: int) -> None:
        if not isinstance(ground.ledger, ObservedLedger):
            pytest.skip("the administration of sites is SQL only")
        admin = ledger_admin(ground.ledger.engine)
        assert admin.sites.set_state(ground.site_id, SiteState.ACTIVE) == [held]
        assert self.state(ground) is LinkState.HELD


class TestContactThatBecomesKnown:
    """By another rating, say: who waits for it goes on at once, without an event or a sweep."""

    WAITS = (
        ("unknown_contact", email_hold_key(str(BOB.email))),
        ("no_email", contact_hold_key(BOB.contact_id)),
        ("contact_unknown", contact_hold_key(BOB.contact_id)),
        ("address_unusable", contact_hold_key(BOB.contact_id)),
    )

    def test_what_waits_for_a_contact_goes_on_when_it_is_saved(self, ground: Ground) -> None:
        waiting = []
        for number, (reason, key) in enumerate(self.WAITS):
            waiting.append(ground.stored(number, remote_id=f"rating-{number}"))
            ground.ledger.inbox.hold([waiting[-1]], reason, hold_key=key)
        other = ground.stored(9, remote_id="rating-9")
        other_key = email_hold_key("carl@example.com")
        ground.ledger.inbox.hold([other], "unknown_contact", hold_key=other_key)
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        assert ground.ledger.inbox.due(10) == waiting

    def test_contact_that_is_known_already_releases_nothing(self, ground: Ground) -> None:
        """Wix refuses it, and only its event or a look tells that it does not any more."""
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        refused = ground.stored(1)
        key = contact_hold_key(BOB.contact_id)
        ground.ledger.inbox.hold([refused], "contact_unknown", hold_key=key)
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        assert ground.ledger.inbox.due(10) == []


class TestSiteThatGoesOnMeanwhile:
    """A run that read a resting site holds its delivery after the release of all that waited."""

    def test_what_was_held_too_late_goes_on(self, ground: Ground) -> None:
        late, other = ground.stored(1), ground.stored(2)
        ground.ledger.inbox.hold([late], "site_paused")
        ground.ledger.inbox.hold([other], "unknown_entity")
        assert ground.ledger.sites.release_if_at_work(ground.site_id) == [late]

    def test_site_that_rests_releases_nothing(self, ground: Ground) -> None:
        held = ground.stored(1)
        ground.ledger.inbox.hold([held], "site_removed")
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None)
        assert ground.ledger.sites.release_if_at_work(ground.site_id) == []


class TestHeldOnce:
    """One rating that cannot be resolved stands in ``held`` once."""

    def held(
        self, ground: Ground, number: int, reason: str = "unknown_entity", **changes: Any
    ) -> int:
        key = changes.pop("hold_key", "thing")
        inbox_id = ground.stored(number, **changes)
        ground.ledger.inbox.hold([inbox_id], reason, hold_key=key)
        return inbox_id

    def standing(self, ground: Ground, hold_key: str = "thing") -> list[int]:
        return sorted(ground.ledger.inbox.release_held(ground.site_id, hold_key=hold_key))

    def test_word_that_two_workers_hold_stands_for_itself(self, ground: Ground) -> None:
        """One gathered it while the other had it in hand; both find no key for it."""
        older, newest = ground.stored(1), self.held(ground, 2)
        for reason, key in (("unknown_entity", "thing"), ("no_email", None)):
            ground.ledger.inbox.hold([newest], reason, hold_key=key)
        ground.ledger.inbox.hold([older, newest], "unknown_entity", hold_key="thing")
        assert self.standing(ground) == [newest]

    def test_word_held_for_another_cause_gathers_no_other(self, ground: Ground) -> None:
        """It was refused meanwhile: whoever has it in hand changes nothing any more."""
        waiting, refused = self.held(ground, 1), self.held(ground, 2, "refused", hold_key=None)
        ground.ledger.inbox.hold([refused], "unknown_entity", hold_key="thing")
        assert self.standing(ground) == [waiting]

    def test_newest_word_is_held_for_all(self, ground: Ground) -> None:
        """Whatever the others waited for; they have no content for an erasure to miss."""
        first = self.held(ground, 1, "no_email", hold_key=None)
        self.held(ground, 2)
        newest = self.held(ground, 3)
        assert ground.ledger.held_reasons() == ["unknown_entity"]
        assert ground.ledger.ended(first) == (InboxState.SUPERSEDED, f"gathered into {newest}")
        assert ground.ledger.inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 1) is None
        assert self.standing(ground) == [newest]

    def test_late_older_word_joins_what_waits_for_the_same(self, ground: Ground) -> None:
        newer = self.held(ground, 2)
        self.held(ground, 1)
        assert self.standing(ground) == [newer]

    def test_late_older_word_that_waits_for_another_thing_stays(self, ground: Ground) -> None:
        newer, older = self.held(ground, 2), self.held(ground, 1, hold_key="other")
        assert self.standing(ground) == [newer]
        assert self.standing(ground, "other") == [older]

    @pytest.mark.parametrize(
        "changes",
        [
            {"change": Change.DELETE},
            {"privacy": True},
            {"remote_id": "rating-2"},
            {"reason": "too_costly"},
        ],
        ids=str,
    )
    def test_other_words_stay_beside_it(self, ground: Ground, changes: dict[str, Any]) -> None:
        other = self.held(ground, 1, **changes)
        newer = self.held(ground, 2)
        assert self.standing(ground) == [other, newer]

    def test_erasure_of_the_newest_erases_all(self, ground: Ground) -> None:
        """Those too that had ended with an older one."""
        words = [self.held(ground, number) for number in (1, 2, 3)]
        ground.ledger.inbox.release_held(ground.site_id, inbox_ids=[words[-1]])
        ground.ledger.inbox.close(words[-1], ERASED)
        assert ground.ledger.ended(words[-1]) == (InboxState.DONE, "erased")
        assert "rating-1" not in ground.ledger.everything()
