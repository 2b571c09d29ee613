"""Writes of unknown outcome: what they may have covered is on record."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.model import Side
from sync_worker.ports import Capabilities
from tests.simulation.chaos import memory_ledger
from tests.simulation.scenarios import changes, rates
from tests.simulation.world import CALM, Options, World


def test_edit_that_a_write_of_unknown_outcome_covered_is_in_the_history_with_its_value() -> None:
    """Outside no write names a revision: a visitor edits between our look and our write, and the answer is lost."""
    outside = Capabilities(many_fields=True, update_precondition=False)
    world = World(0, Options(CALM, people=1, external=outside), memory_ledger)
    rates(Side.WIX, overall=80)(world)
    world.drain()
    (record,) = world.external.records.values()
    struck: list[str] = []

    def edit_in_the_window(place: str) -> None:
        if place == "before external.update" and not struck:
            struck.append("edit")
            world.external.visitor_changes(record.remote_id, {"value": Decimal(5)})

    def lose_the_answer(operation: str) -> str | None:
        if operation == "update" and struck == ["edit"]:
            struck.append("answer")
            return "response_lost"
        return None

    world.on_step, world.external.fault = edit_in_the_window, lose_the_answer
    changes(Side.WIX, overall=20)(world)
    world.settle()
    assert struck == ["edit", "answer"]
    covered = [entry for entry in world.ledger.history_entries() if entry.what == "gap" and entry.attribute]
    assert [(entry.loser, entry.loser_side, entry.remote_id) for entry in covered] == [
        (Decimal(5), Side.EXTERNAL, record.remote_id)
    ]
