"""The port ``Decisions``: what is on file for whoever decides, and what is stored of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.ports.decisions import RatingOnFile
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import HistoryEntry, HistoryKind, InboxState, LinkState, Side
from sync_worker.core.values.decisions import Asked, Decision, Shown, decision_in
from sync_worker.core.values.links import COVERED_UNSEEN
from tests.integration.ledger.ground import ADA, Ground

FOUR = {"overall": Decimal(60)}


def make(rating: RatingOnFile | None) -> Decision:
    assert rating is not None
    return Decision(Asked.MAKE, "anna", "she asked", Side.WIX, FOUR, rating.shown)


def on_file(ground: Ground, *lines: HistoryEntry, end: Closing | None = None) -> int:
    """A rating with 80 on Wix and 4 outside, and these lines; its first delivery is at its end."""
    run = ground.link(ADA, 1)
    closing = end or Closing(InboxState.DONE, "synced")
    closings = {one.id: closing for one in run.deliveries}
    ground.ledger.links.commit(run.lease, Commit(history=lines, closings=closings, release=True))
    return run.lease.link_id


def a_line(what: HistoryKind = HistoryKind.UPDATE, **more: Any) -> HistoryEntry:
    values: dict[str, Any] = {
        "attribute": "overall",
        "before": Decimal(20),
        "after": Decimal(80),
        "intent_id": "i-1",
        "inbox_id": 1,
    }
    return HistoryEntry(what, Side.WIX, **{**values, **more})


def a_difference(wix: int | str, outside: int | str | None) -> HistoryEntry:
    """What a run left as it was, for a person."""
    before, after = (Decimal(one) if isinstance(one, int) else one for one in (wix, outside))
    return HistoryEntry(HistoryKind.HOLD, None, "overall", before, after, reason="first_difference")


class TestRatings:
    def test_rating_shows_both_sides_as_they_agreed(self, ground: Ground) -> None:
        rating = ground.ledger.decisions.rating(on_file(ground))
        assert rating.shown == {"overall": Shown(Decimal(80), Decimal(4))}
        assert (rating.site.id, rating.state, rating.version) == (
            ground.site_id,
            LinkState.LIVE,
            0,
        )
        assert rating.contact.email == "ada@example.com"

    def test_line_of_the_history_is_a_new_version(self, ground: Ground) -> None:
        link_id = on_file(ground, a_line())
        assert ground.ledger.decisions.rating(link_id).version > 0

    def test_held_difference_shows_what_a_run_has_seen(self, ground: Ground) -> None:
        """Not what both sides agreed on before."""
        seen = HistoryEntry(HistoryKind.HOLD, None, "overall", Decimal(20), Decimal(4))
        held = Closing(InboxState.HELD, "first_difference")
        rating = ground.ledger.decisions.rating(on_file(ground, seen, end=held))
        assert rating.shown == {"overall": Shown(Decimal(20), Decimal(4))}
        assert list(rating.held.values()) == ["first_difference"]

    def test_difference_that_waits_has_a_line_until_it_changes(self, ground: Ground) -> None:
        """Each look at it tells it: the history would grow as long as it waits."""
        lines = {
            "stars": a_difference(20, 4),
            "the same": a_difference(20, 4),
            "of another attribute": replace(a_difference(20, 4), attribute="quality"),
            "the same again": a_difference(20, 4),
            "other stars": a_difference(20, 5),
            "another reason": replace(a_difference(20, 5), reason="off_scale"),
            "an update": a_line(),
            "again": a_difference(20, 4),
            "words": replace(a_difference("good", "god"), attribute="body"),
            "the same words": replace(a_difference("good", "god"), attribute="body"),
            "one side is gone": a_difference(20, None),
            "and still is": a_difference(20, None),
        }
        told = [name for name in lines if "same" not in name and "still" not in name]
        on_file(ground, *lines.values())
        entries = ground.ledger.history_entries(ground.site_id)
        assert entries == [lines[name] for name in told]

    def test_covered_text_that_is_named_already_has_no_line_of_its_own(
        self, ground: Ground
    ) -> None:
        """What is told late is told late again; a text of another attribute is another one."""
        names = {"attribute": "reply", "before": "Hi", "after": "Hello"}
        covered = HistoryEntry(
            *(HistoryKind.GAP, Side.WIX, "reply", "Thanks", None, "Thanks", Side.WIX),
            reason=COVERED_UNSEEN,
        )
        lines = {
            "written": a_line(HistoryKind.REPLY, **names),
            "named as it was": replace(covered, before="Hi", loser="Hi"),
            "named as it became": replace(covered, before="Hello", loser="Hello"),
            "told": covered,
            "named as told": covered,
            "another attribute": replace(covered, attribute="body"),
            "other letters": replace(covered, before="thanks", loser="thanks"),
        }
        on_file(ground, *lines.values())
        entries = ground.ledger.history_entries(ground.site_id)
        assert entries == [lines[name] for name in lines if "named" not in name]

    def test_difference_that_no_line_tells_is_not_known(self, ground: Ground) -> None:
        held = Closing(InboxState.HELD, "refused")
        rating = ground.ledger.decisions.rating(on_file(ground, a_line(), end=held))
        assert rating.shown == {}

    def test_there_is_no_rating_of_another_number(self, ground: Ground) -> None:
        assert ground.ledger.decisions.rating(77) is None


class TestLines:
    def test_line_is_read_with_all_of_its_write(self, ground: Ground) -> None:
        link_id = on_file(ground, a_line(), a_line(attribute="quality"))
        newest = ground.ledger.decisions.rating(link_id).version
        line = ground.ledger.decisions.line(newest)
        assert (line.link_id, line.site_id, line.entry.attribute) == (
            link_id,
            ground.site_id,
            "quality",
        )
        assert sorted(one.attribute for one in line.beside) == ["overall", "quality"]
        assert (line.newest, line.later, line.is_forgotten) == (newest, None, False)

    def test_line_names_a_later_one_of_its_attribute(self, ground: Ground) -> None:
        later = a_line(intent_id="i-2", inbox_id=2)
        newest = ground.ledger.decisions.rating(on_file(ground, a_line(), later)).version
        assert ground.ledger.decisions.line(newest - 1).later == newest

    def test_line_of_the_same_run_is_none_later(self, ground: Ground) -> None:
        newest = ground.ledger.decisions.rating(on_file(ground, a_line(), a_line())).version
        assert ground.ledger.decisions.line(newest - 1).later is None

    def test_there_is_no_line_of_another_number(self, ground: Ground) -> None:
        assert ground.ledger.decisions.line(77) is None


class TestDeciding:
    def test_decision_is_a_delivery_of_its_link(self, ground: Ground) -> None:
        link_id = on_file(ground)
        number = ground.ledger.decisions.decide(link_id, "one", make)
        assert ground.ledger.decisions.rating(link_id).deciding == number
        (delivery,) = ground.ledger.links.lease(link_id).deliveries
        decision = decision_in(delivery.new.payload)
        assert (delivery.id, decision) == (number, make(ground.ledger.decisions.rating(link_id)))

    def test_same_name_is_the_same_delivery(self, ground: Ground) -> None:
        link_id = on_file(ground)
        first = ground.ledger.decisions.decide(link_id, "one", make)
        assert ground.ledger.decisions.decide(link_id, "one", make) == first
        assert ground.ledger.decisions.decide(link_id, "two", make) != first

    def test_refused_decision_leaves_nothing(self, ground: Ground) -> None:
        def refuse(rating: RatingOnFile | None) -> Decision:
            raise ValueError("no")

        link_id = on_file(ground)
        with pytest.raises(ValueError, match="no"):
            ground.ledger.decisions.decide(link_id, "one", refuse)
        assert ground.ledger.decisions.rating(link_id).deciding is None

    def test_erasure_reaches_what_was_decided_and_why(self, ground: Ground) -> None:
        """Also of a decision that was not carried out yet; that it was decided stays on record."""
        run = ground.link(ADA, 1)
        number = ground.ledger.decisions.decide(run.lease.link_id, "one", make)
        line = a_line(reason="make: she asked", actor="anna")
        ground.ledger.links.commit(run.lease, Commit(history=[line]))
        ground.erase(run)
        assert ground.ledger.ended(number) == ("done", "erased")
        assert "she asked" not in ground.ledger.everything()
        (left,) = ground.ledger.history_entries()
        assert (left.actor, left.reason) == ("anna", "make")
        assert ground.ledger.decisions.rating(run.lease.link_id).is_erased


class TestHeldOnes:
    def test_only_what_is_held_is_told(self, ground: Ground) -> None:
        link_id = on_file(ground, end=Closing(InboxState.HELD, "refused"))
        (held,) = ground.ledger.decisions.held([1, 2])
        assert (held.inbox_id, held.site_id, held.link_id, held.reason) == (
            1,
            ground.site_id,
            link_id,
            "refused",
        )

    def test_stopped_link_goes_on_with_all_that_waited(self, ground: Ground) -> None:
        run = ground.link(ADA, 1)
        stop = ground.ledger.decisions.decide(run.lease.link_id, "one", make)
        closings = {
            run.deliveries[0].id: Closing(InboxState.HELD, "link_held"),
            stop: Closing(InboxState.HELD, "stopped"),
        }
        change = Commit(link_state=LinkState.HELD, closings=closings, release=True)
        ground.ledger.links.commit(run.lease, change)
        reasons = ("stopped", "link_held")
        released = ground.ledger.decisions.let_go_on(run.lease.link_id, reasons, "bert", "settled")
        assert released == [run.deliveries[0].id, stop]
        again = ground.ledger.links.lease(run.lease.link_id)
        assert again.link.state is LinkState.LIVE
        assert [delivery.must_read for delivery in again.deliveries] == [True, True]
        assert ground.ledger.inbox.was_released(again.deliveries[1], "stopped")

    def test_link_that_nobody_stopped_stays_as_it_is(self, ground: Ground) -> None:
        link_id = on_file(ground, end=Closing(InboxState.HELD, "link_held"))
        reasons = ("stopped", "link_held")
        assert ground.ledger.decisions.let_go_on(link_id, reasons, "bert", "why") == []
        assert list(ground.ledger.decisions.rating(link_id).held.values()) == ["link_held"]
