"""Each mechanism of moderation, switched off, is missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync_worker.core.values import Policy
from tests.simulation.ablations import without
from tests.simulation.chaos import run_seed
from tests.simulation.moderated import (
    HIDDEN,
    PUBLISHED,
    PUBLISHED_ON_WIX,
    REJECTED_ON_WIX,
    SHOWN,
    E,
    W,
    Way,
    played,
    stands,
    swept,
    writes,
)
from tests.simulation.scenarios import changes, deletes, rates


def rejected_is_gone_outside(way: Way = played) -> bool:
    world = way(rates(W, overall=80), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    return stands(world) == (("80", "rejected"), None)


def rejected_is_gone_outside_by_sweeps() -> bool:
    return rejected_is_gone_outside(swept)


def old_state_told_again_changes_nothing() -> bool:
    """We withdrew it, and an answer has no sequence: only a look tells what is newer."""
    world = played(rates(E, value=4), PUBLISHED_ON_WIX)
    told = [one for one in world.post.sent if one.side is W][-1:]
    # The event of our own call is lost.
    world.wix.on_event = lambda event: None
    HIDDEN(world)
    world.drain()
    world.wix.on_event = world.tell
    world.replay(told)
    SHOWN(world)
    world.drain()
    return stands(world) == (("80", "published"), ("4", "published"))


def rejected_import_keeps_its_source() -> bool:
    acts = (rates(E, value=1), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    world = played(*acts, names_origin=False)
    return stands(world) == (("20", "rejected"), ("1", "published"))


def rejected_import_is_on_record() -> bool:
    world = played(rates(E, value=1), PUBLISHED_ON_WIX, REJECTED_ON_WIX)
    return "rejected_import" in {line.reason for line in world.ledger.history_entries()}


def hidden_outside_is_kept_on_wix() -> bool:
    world = played(rates(E, value=4), PUBLISHED_ON_WIX, HIDDEN, SHOWN)
    world.settle()
    return "delete on wix" not in writes(world)


def hidden_on_both_sides_is_left_alone() -> bool:
    world = played(rates(E, value=4), PUBLISHED_ON_WIX, REJECTED_ON_WIX, HIDDEN, SHOWN)
    world.settle()
    return writes(world) == {"create on wix": 1}


def unwanted_import_keeps_its_source() -> bool:
    world = played(rates(E, value=1), deletes(W))
    return stands(world) == (None, ("1", "published"))


def rejection_reaches_us_after_our_write() -> bool:
    policy = Policy.of({"rejected_import": "delete"})
    acts = (rates(E, value=4), REJECTED_ON_WIX)
    world = played(*acts, policy=policy, new_on_wix=PUBLISHED)
    return stands(world) == (("80", "rejected"), None)


def refused_edit_is_one_update() -> bool:
    world = played(rates(W, overall=80), PUBLISHED_ON_WIX, read_only="conflict")
    changes(E, value=2)(world)
    world.drain(rounds=20)
    return world.wix.calls["update"] == 1


def no_seed_breaks_reviews() -> bool:
    return not any(run_seed("reviews, calm", seed) for seed in range(40, 60))


OF_MODERATION: dict[str, Callable[[], bool]] = {
    "state beside the revision": rejected_is_gone_outside,
    "listed state beside the revision": rejected_is_gone_outside_by_sweeps,
    "order of states by their sequence": old_state_told_again_changes_nothing,
    "who made a record": rejected_import_keeps_its_source,
    "rejection on record": rejected_import_is_on_record,
    "hidden on one side": hidden_on_both_sides_is_left_alone,
    "withdrawing what is only hidden": hidden_outside_is_kept_on_wix,
    "approving only what we withdrew": hidden_on_both_sides_is_left_alone,
    "imports that nobody wanted": unwanted_import_keeps_its_source,
    "refusal at the right revision": refused_edit_is_one_update,
    "guard leaves states alone": rejection_reaches_us_after_our_write,
    "hidden reviews before they are known": no_seed_breaks_reviews,
}


def holds(story: Callable[[], bool]) -> bool:
    try:
        return story()
    except AssertionError:
        return False


@pytest.mark.parametrize("mechanism", sorted(OF_MODERATION))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    story = OF_MODERATION[mechanism]
    assert holds(story)
    with without(mechanism):
        assert not holds(story)
