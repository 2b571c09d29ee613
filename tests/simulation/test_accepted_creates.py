"""Creates that a platform accepts and shows later, or never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.values import (
    Draft,
    RecordState,
)
from sync_worker.ledger.administration.admin import ledger_admin
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.platform_worlds import W, a_world, creates
from tests.simulation.scenarios import changes, ending_of, moderates, rates
from tests.simulation.scenes import LATE_CREATE
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import LedgerMaker, World

LATE = replace(LATE_CREATE, can_update=True, can_delete=True)


# -- creates that show later


def test_accepted_create_is_waited_for_and_never_sent_again(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, external=LATE)
    rates(W, overall=80)(world)
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), creates(world), len(world.external.records)) == (("20", "1"), 1, 1)
    assert broken_invariants(world) == []


def test_create_that_never_shows_is_held_after_fifteen_minutes(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, external=LATE)
    world.external.vanishes = lambda: True
    began = world.now
    rates(W, overall=80)(world)
    world.drain()
    assert (creates(world), held_reasons(world)) == (1, {"awaiting_confirmation"})
    assert world.now - began >= 900


def test_record_that_shows_after_the_deadline_is_adopted(
    make_ledger: LedgerMaker,
) -> None:
    """A record that shows after the deadline is adopted and the hold ends by itself."""
    world = a_world(make_ledger, external=LATE)
    shows: list[Callable[[], None]] = []
    world.external.later = shows.append
    rates(W, overall=80)(world)
    world.drain()
    assert held_reasons(world) == {"awaiting_confirmation"}
    shows[0]()
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (("80", "4"), set(), 1)
    assert world.ledger.open_intents() == 0


def test_held_create_is_sent_again_only_when_a_person_releases_it() -> None:
    world = a_world(external=LATE)
    world.external.vanishes = lambda: True
    rates(W, overall=80)(world)
    world.drain()
    world.sweep()
    world.drain()
    assert creates(world) == 1, "a sweep sent it again"
    world.external.vanishes = lambda: False
    held = [
        inbox_id for inbox_id, row in world.ledger.rows.items() if str(row.delivery.state) == "held"
    ]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held[:1])
    world.drain()
    assert (ending_of(world), creates(world), len(world.external.records)) == (("80", "4"), 2, 1)
    assert held_reasons(world) == set()


def test_late_create_under_moderation_agrees_when_it_is_published() -> None:
    """A late create that a moderator has to publish agrees when it is published."""
    world = a_world(external=LATE)
    world.external.new_state = RecordState.PENDING
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), held_reasons(world), creates(world)) == (("80", None), set(), 1)
    moderates(RecordState.PUBLISHED)(world)
    world.drain()
    assert (ending_of(world), creates(world)) == (("80", "4"), 1)


def test_lost_answer_of_a_late_create_is_sent_twice_without_the_wait() -> None:
    def twice() -> int:
        world = a_world(external=LATE)
        world.external.later = lambda show: world.showing.append((world.now + 200, show))
        rates(W, overall=80)(world)
        world.drain()
        return creates(world)

    assert twice() == 1
    with without("waiting for an accepted create"):
        assert twice() > 1


def fails_late(world: World) -> list[Callable[[], None]]:
    """Accepted creates fail; when, is the test's to say."""
    world.external.fails = lambda: True
    told: list[Callable[[], None]] = []
    world.external.later = told.append
    return told


def test_create_told_to_have_failed_is_held_until_released(
    make_ledger: LedgerMaker,
) -> None:
    """A create that is told to have failed is held at once and sent again only on release."""
    world = a_world(make_ledger, external=LATE)
    told, began = fails_late(world), world.now
    rates(W, overall=80)(world)
    deliver_all(world)
    told[0]()
    world.drain()
    assert (held_reasons(world), creates(world), world.ledger.open_intents()) == (
        {"create_failed"},
        1,
        0,
    )
    assert world.now - began < 120, "it waited although it had been told"
    world.sweep()
    world.drain()
    assert creates(world) == 1, "a sweep sent it again"
    world.external.fails, world.external.later = lambda: False, lambda show: show()
    release_all(world)
    assert (ending_of(world), creates(world), held_reasons(world)) == (("80", "4"), 2, set())


@pytest.mark.parametrize("is_deleted_first", [True, False])
def test_create_that_failed_is_not_held_for_a_rating_that_is_deleted(
    is_deleted_first: bool, make_ledger: LedgerMaker
) -> None:
    """Whether its author deletes the rating before the word of the failure, or after it."""
    world = a_world(make_ledger, external=LATE)
    told = fails_late(world)
    rates(W, overall=80)(world)
    deliver_all(world)
    for act in (
        [lambda: world.wix.visitor_deletes("w1"), told[0]]
        if is_deleted_first
        else [told[0], lambda: world.wix.visitor_deletes("w1")]
    ):
        act()
        deliver_all(world)
    world.drain()
    assert (held_reasons(world), creates(world), world.ledger.open_intents()) == (set(), 1, 0)
    assert broken_invariants(world) == []


def test_failed_create_is_waited_for_in_vain_without_hearing_of_it() -> None:
    with without("hearing of a failed create"):
        world = a_world(external=LATE)
        told = fails_late(world)
        rates(W, overall=80)(world)
        deliver_all(world)
        told[0]()
        world.drain()
    assert held_reasons(world) == {"awaiting_confirmation"}


def test_failure_of_an_older_try_does_not_end_the_wait_for_a_newer_one(
    make_ledger: LedgerMaker,
) -> None:
    world = a_world(make_ledger, external=LATE)
    told = fails_late(world)
    rates(W, overall=80)(world)
    deliver_all(world)
    told[0]()
    late = world.post.webhooks[-1]
    world.drain()
    world.external.fails = lambda: False
    release_all(world, until_quiet=False)
    world.external.later = lambda show: show()
    world.post.webhooks.append(replace(late, dedupe_id="again"))
    told[1]()
    world.drain()
    assert (ending_of(world), creates(world), held_reasons(world)) == (("80", "4"), 2, set())


def test_failure_that_nobody_waits_for_ends_quietly() -> None:
    world = a_world(external=LATE)
    for email in (world.persons[0].email, "nobody@example.com", None):
        world.external.on_failure(
            Draft({}, world.entities[0][1], replace(world.persons[0], email=email))
        )
    world.drain()
    assert (held_reasons(world), world.ledger.open_count(), creates(world)) == (set(), 0, 0)


def test_late_create_that_shows_another_value_was_edited_since(
    make_ledger: LedgerMaker,
) -> None:
    """A late create that shows another value was edited since, where its value does not mark it."""
    world = a_world(make_ledger, external=replace(LATE, correlates_value=False))
    world.external.normalise = lambda name, value: Decimal(2)
    rates(W, overall=80)(world)
    world.drain()
    assert (ending_of(world), creates(world), held_reasons(world)) == (("40", "2"), 1, set())


def rated_with_words_while_a_create_waits() -> World:
    world = a_world(external=replace(LATE, correlates_value=False, correlates_text=True))
    world.external.later = lambda show: world.showing.append((world.now + 200, show))
    rates(W, overall=80)(world)
    deliver_all(world)
    world.external.visitor_rates(
        world.entities[0][1], world.persons[0], {"value": Decimal(2)}, words=True
    )
    world.drain()
    return world


def test_review_with_a_persons_words_is_not_taken_for_an_accepted_create() -> None:
    world = rated_with_words_while_a_create_waits()
    assert [str(one.values["overall"]) for one in world.wix.records.values()] == ["80"]
    assert not any(entry.by_us for entry in world.wix.journal), (
        "it overwrote the rating on Wix, as an edit of ours"
    )
    assert (len(world.external.records), creates(world), held_reasons(world)) == (2, 1, set())


def test_review_with_the_words_of_a_person_is_ours_without_the_look() -> None:
    """A review with a person's words is taken for ours without the look at its text."""
    with without("text of an accepted create"):
        world = rated_with_words_while_a_create_waits()
    assert any(entry.by_us for entry in world.wix.journal)


def deliver_all(world: World) -> None:
    """Work until only time is left to pass."""
    while world.step_in_order():
        pass


def held_ids(world: World) -> list[int]:
    if hasattr(world.ledger, "engine"):
        return [one.inbox_id for one in ledger_admin(world.ledger.engine).held.all()]
    return [
        inbox_id for inbox_id, row in world.ledger.rows.items() if str(row.delivery.state) == "held"
    ]


def release_all(world: World, *, until_quiet: bool = True) -> None:
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held_ids(world))
    world.drain() if until_quiet else deliver_all(world)
