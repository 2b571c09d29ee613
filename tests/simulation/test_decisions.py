"""A person's decision is an edit like any other: it crosses once, survives, and newer edits win."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.values import HistoryEntry, HistoryKind, Policy, Side, SiteState
from sync_worker.services.access.who import Role, Who
from sync_worker.services.deciding.choice import Choice
from sync_worker.services.deciding.decisions import Decisions
from sync_worker.services.deciding.refusals import (
    NotPossible,
    RatingChanged,
    RatingGone,
    StillDeciding,
)
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import E, W, changes, deletes, ending_of, rates
from tests.simulation.world import CALM, LedgerMaker, Options, World

ANNA = Who("anna", Role.SUPPORT)
BERT = Who("bert", Role.SUPPORT)


@pytest.fixture(params=BOTH_LEDGERS)
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    return LEDGERS[request.param]


@pytest.fixture
def world(make_ledger: LedgerMaker) -> World:
    """80 on Wix, 4 outside, in step."""
    world = World(0, Options(CALM, people=1), make_ledger)
    rates(W, overall=80)(world)
    world.drain()
    return world


def decisions(world: World) -> Decisions:
    return world.shops[0].decider.service


def stars(side: Side, value: int) -> Choice:
    return Choice(side, {"overall": Decimal(value)})


def lines_by(world: World, actor: str) -> list[HistoryEntry]:
    return [line for line in world.ledger.history_entries() if line.actor == actor]


def newest_line(world: World) -> int:
    rating = world.ledger.decisions.rating(1)
    return int(rating.version)


def ours(world: World) -> int:
    return sum(entry.by_us for remote in world.remotes.values() for entry in remote.journal)


class TestMakeBoth:
    def test_both_sides_show_what_was_decided(self, world: World) -> None:
        decisions(world).make_both(ANNA, 1, stars(W, 20), "asked by phone")
        world.settle()
        assert ending_of(world) == ("20", "1")
        assert {(line.side, line.after, line.reason) for line in lines_by(world, "anna")} == {
            (W, Decimal(20), "make: asked by phone"),
            (E, Decimal(1), "make: asked by phone"),
        }
        assert broken_invariants(world) == []

    def test_value_is_mapped_from_the_side_that_was_named(self, world: World) -> None:
        decisions(world).make_both(ANNA, 1, stars(E, 2), "as they said")
        world.settle()
        assert ending_of(world) == ("40", "2")

    def test_echoes_cause_no_further_write(self, world: World) -> None:
        before = ours(world)
        decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        world.drain()
        assert ours(world) - before == 2
        world.settle()
        assert ours(world) - before == 2

    def test_finer_value_of_the_same_class_stays_where_it_is(self, world: World) -> None:
        changes(W, overall=85)(world)
        world.drain()
        decisions(world).make_both(ANNA, 1, stars(E, 4), "why")
        world.settle()
        assert ending_of(world) == ("85", "4")

    def test_later_edit_wins_as_usual(self, world: World) -> None:
        decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        world.drain()
        changes(E, value=5)(world)
        world.settle()
        assert ending_of(world) == ("100", "5")

    def test_edit_before_it_is_written_stands_and_crosses(self, world: World) -> None:
        number = decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        changes(E, value=5)(world)
        world.drain()
        assert ending_of(world) == ("100", "5")
        assert world.ledger.ended(number) == ("held", "decision_outdated")
        told = lines_by(world, "anna")
        assert [(line.what, line.before) for line in told] == [(HistoryKind.DECIDE, Decimal(100))]
        assert "edited since" in told[0].reason

    def test_released_all_the_same_it_is_written(self, world: World) -> None:
        decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        changes(E, value=5)(world)
        world.drain()
        world.shops[0].decider.forced.update(decisions(world).carry_out(BERT, 1, "all the same"))
        world.settle()
        assert ending_of(world) == ("20", "1")

    def test_old_version_is_refused_with_what_is_there_now(self, world: World) -> None:
        version = newest_line(world)
        changes(E, value=5)(world)
        world.drain()
        with pytest.raises(RatingChanged, match="overall 100 on Wix, 5 outside"):
            decisions(world).make_both(ANNA, 1, stars(W, 20), "why", version)

    def test_second_decision_waits_for_the_first(self, world: World) -> None:
        number = decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        with pytest.raises(StillDeciding, match=f"#{number}"):
            decisions(world).make_both(BERT, 1, stars(W, 60), "why")

    def test_same_token_is_one_decision(self, world: World) -> None:
        first = decisions(world).make_both(ANNA, 1, stars(W, 20), "why", token="t")
        assert decisions(world).make_both(ANNA, 1, stars(W, 20), "why", token="t") == first

    def test_deleted_since_it_ends_with_a_reason(self, world: World) -> None:
        number = decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        deletes(W)(world)
        deletes(E)(world)
        world.settle()
        assert ending_of(world) == (None, None)
        assert world.ledger.ended(number) == ("done", "rating_gone")

    def test_deleted_before_it_is_refused(self, world: World) -> None:
        deletes(W)(world)
        world.drain()
        with pytest.raises(RatingGone, match="undo its delete"):
            decisions(world).make_both(ANNA, 1, stars(W, 20), "why")

    def test_what_is_so_already_is_on_record(self, world: World) -> None:
        before = ours(world)
        number = decisions(world).make_both(ANNA, 1, stars(W, 80), "why")
        world.settle()
        assert ours(world) == before
        assert world.ledger.ended(number)[0] == "done"
        assert [line.reason for line in lines_by(world, "anna")] == ["nothing to change; make: why"]


class TestUndo:
    def test_overwritten_value_comes_back_on_both_sides(self, world: World) -> None:
        changes(W, overall=20)(world)
        world.drain()
        line = newest_line(world)
        decisions(world).undo(ANNA, line, "a mistake")
        world.settle()
        assert ending_of(world) == ("80", "4")
        assert [line.reason for line in lines_by(world, "anna")] == [f"undo h{line}: a mistake"] * 2

    def test_undo_is_undone(self, world: World) -> None:
        changes(W, overall=20)(world)
        world.drain()
        decisions(world).undo(ANNA, newest_line(world), "a mistake")
        world.drain()
        decisions(world).undo(BERT, newest_line(world), "no mistake")
        world.settle()
        assert ending_of(world) == ("20", "1")

    def test_line_that_was_followed_by_another_is_refused(self, world: World) -> None:
        changes(W, overall=20)(world)
        world.drain()
        line = newest_line(world)
        changes(W, overall=100)(world)
        world.drain()
        with pytest.raises(RatingChanged, match="overall 100 on Wix, 5 outside"):
            decisions(world).undo(ANNA, line, "why")

    def test_deleted_rating_is_made_again(self, world: World) -> None:
        deletes(W)(world)
        world.drain()
        assert ending_of(world) == (None, None)
        decisions(world).undo(ANNA, newest_line(world), "deleted by accident")
        world.settle()
        assert ending_of(world) == ("80", "4")
        assert broken_invariants(world) == []

    def test_create_has_overwritten_nothing(self, world: World) -> None:
        with pytest.raises(NotPossible, match="overwritten nothing"):
            decisions(world).undo(ANNA, newest_line(world), "why")

    def test_privacy_delete_is_not_undone(self, world: World) -> None:
        deletes(W, privacy=True)(world)
        world.drain()
        with pytest.raises(NotPossible, match="asked for that delete"):
            decisions(world).undo(ANNA, newest_line(world), "why")


class TestChooseSide:
    def a_difference(self, make_ledger: LedgerMaker) -> tuple[World, list[int]]:
        policy = Policy.of({"first_difference": "hold"})
        world = World(0, Options(CALM, people=1, policy=policy), make_ledger)
        rates(W, overall=80)(world)
        rates(E, value=1)(world)
        world.drain()
        return world, [*world.ledger.decisions.rating(1).held]

    @pytest.mark.parametrize(("side", "ending"), [(W, ("80", "4")), (E, ("20", "1"))])
    def test_side_that_was_chosen_wins(
        self, make_ledger: LedgerMaker, side: Side, ending: tuple[str, str]
    ) -> None:
        world, held = self.a_difference(make_ledger)
        decisions(world).choose_side(ANNA, held, side, "as the shop says")
        world.settle()
        assert ending_of(world) == ending
        assert world.ledger.held_reasons() == []
        (line,) = lines_by(world, "anna")
        assert line.reason == f"choose {side}: as the shop says"

    def test_edit_after_it_was_held_is_not_covered(self, make_ledger: LedgerMaker) -> None:
        world, held = self.a_difference(make_ledger)
        (number,) = decisions(world).choose_side(ANNA, held, W, "why")
        changes(E, value=5)(world)
        world.drain()
        assert world.ledger.ended(number) == ("held", "decision_outdated")
        assert ending_of(world) == ("80", "5")


class TestCompareNow:
    def test_edit_that_no_webhook_told_of_crosses(self, world: World) -> None:
        changes(E, value=1)(world)
        world.post.webhooks.clear()
        decisions(world).compare_now(ANNA, 1)
        world.drain()
        assert ending_of(world) == ("20", "1")


class TestStop:
    def test_nothing_is_written_before_a_person_lets_it_go_on(self, world: World) -> None:
        number = decisions(world).stop(ANNA, 1, "a lawyer asks")
        world.drain()
        assert world.ledger.ended(number) == ("held", "stopped")
        changes(W, overall=20)(world)
        world.settle()
        assert ending_of(world) == ("20", "4")
        decisions(world).go_on(BERT, 1, "settled")
        world.settle()
        assert ending_of(world) == ("20", "1")
        assert world.ledger.held_reasons() == []
        assert [line.what for line in lines_by(world, "anna")] == [HistoryKind.HOLD]
        assert {line.what for line in lines_by(world, "bert")} == {HistoryKind.REPLAY}

    def test_in_step_meanwhile_it_still_stands(self, world: World) -> None:
        number = decisions(world).stop(ANNA, 1, "why")
        world.drain()
        changes(W, overall=20)(world)
        changes(E, value=1)(world)
        world.settle()
        assert world.ledger.ended(number) == ("held", "stopped")

    def test_decision_of_a_stopped_rating_is_refused(self, world: World) -> None:
        decisions(world).stop(ANNA, 1, "why")
        world.drain()
        with pytest.raises(NotPossible, match="let it go on first"):
            decisions(world).make_both(ANNA, 1, stars(W, 20), "why")

    def test_privacy_request_passes(self, world: World) -> None:
        decisions(world).stop(ANNA, 1, "why")
        world.drain()
        deletes(W, privacy=True)(world)
        world.settle()
        assert ending_of(world) == (None, None)
        assert world.ledger.held_reasons() == []


class TestSiteAtRest:
    def test_decision_waits_for_a_paused_site(self, world: World) -> None:
        world.ledger.sites.note_lifecycle(world.site.id, SiteState.PAUSED, None)
        number = decisions(world).make_both(ANNA, 1, stars(W, 20), "why")
        world.drain()
        assert world.ledger.ended(number) == ("held", "site_paused")
        world.ledger.sites.note_lifecycle(world.site.id, SiteState.REMOVED, None)
        world.queue += world.ledger.sites.note_lifecycle(world.site.id, SiteState.ACTIVE, None)
        world.settle()
        assert ending_of(world) == ("20", "1")
