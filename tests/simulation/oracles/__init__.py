"""What must hold when the world has come to rest.

Each check names the invariant that it stands for.
"""

from __future__ import annotations

from tests.simulation.oracles.accounts import reached_by_another_site
from tests.simulation.oracles.agreement import not_converged, resurrected, twins
from tests.simulation.oracles.decisions import (
    covered_unseen_by_decision,
    decided_values_lost,
    decisions_lost,
)
from tests.simulation.oracles.history import lost_silently
from tests.simulation.oracles.leftovers import (
    held_in_step,
    left_open,
    remembered_after_erasure,
    waits_for_nothing,
)
from tests.simulation.oracles.moderation import (
    deleted_outside_for_nothing,
    moderated_too_often,
    shown_and_hidden,
)
from tests.simulation.oracles.newest_edit import newest_edit_lost
from tests.simulation.oracles.pictures import pictures_astray
from tests.simulation.oracles.reading import diverges_by_policy
from tests.simulation.oracles.writes import idle_rewrites, invented_words, too_many_writes
from tests.simulation.world import Shop, World


def broken_invariants(world: World) -> list[str]:
    """In words; empty when all hold. Each site is looked at as if it were alone."""
    return [broken for shop in world.shops for broken in broken_of(shop)]


def broken_of(shop: Shop) -> list[str]:
    checks = [
        lost_silently,
        too_many_writes,
        idle_rewrites,
        invented_words,
        twins,
        left_open,
        waits_for_nothing,
        held_in_step,
        remembered_after_erasure,
        deleted_outside_for_nothing,
        moderated_too_often,
        reached_by_another_site,
        decisions_lost,
        covered_unseen_by_decision,
        pictures_astray,
    ]
    if not diverges_by_policy(shop):
        checks += [not_converged, shown_and_hidden, resurrected, newest_edit_lost]
        checks.append(decided_values_lost)
    return [broken for check in checks for broken in check(shop)]
