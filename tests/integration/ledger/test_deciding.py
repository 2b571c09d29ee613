"""Who may decide about a rating, and what of the history may be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import HistoryEntry, HistoryKind, InboxState, Side
from sync_worker.core.values.decisions import decision_in
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.services.access.who import Forbidden, Role, Who
from sync_worker.services.deciding.decisions import Decisions
from sync_worker.services.deciding.refusals import NotPossible, UnknownLine, UnknownRating
from tests.integration.ledger.ground import ADA, Ground

SUPPORT, VIEWER = Who("anna", Role.SUPPORT), Who("vera", Role.VIEWER)
REWORDED = HistoryEntry(
    HistoryKind.UPDATE, Side.WIX, "title", before="Broke after a week", after="Sturdy mug."
)


class Rung:
    def __init__(self) -> None:
        self.ids: list[int] = []

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.ids += inbox_ids


def a_line(ground: Ground) -> tuple[int, int]:
    """A rating whose title was overwritten, and the number of the line that says so."""
    run = ground.link(ADA, 1)
    closings = {one.id: Closing(InboxState.DONE, "synced") for one in run.deliveries}
    change = Commit(history=[REWORDED], closings=closings, release=True)
    ground.ledger.links.commit(run.lease, change)
    return run.lease.link_id, ground.ledger.decisions.rating(run.lease.link_id).version


def test_words_are_undone_while_the_history_has_them(ground: Ground) -> None:
    link_id, line = a_line(ground)
    bell = Rung()
    number = Decisions(ground.ledger.decisions, bell).undo(SUPPORT, line, "a mistake")
    (delivery,) = ground.ledger.links.lease(link_id).deliveries
    decision = decision_in(delivery.new.payload)
    assert decision is not None
    assert (decision.values, decision.name) == ({"title": "Broke after a week"}, f"undo h{line}")
    assert bell.ids == [number]


def test_words_that_the_history_forgot_are_refused_in_words(ground: Ground) -> None:
    if not hasattr(ground.ledger, "engine"):
        pytest.skip("the ledger in memory forgets nothing by age")
    _, line = a_line(ground)
    if ground.wait is not None:
        ground.wait(1.0)
    for _ in LedgerRetention(ground.ledger.engine).prune(replace(Retention(), words_days=0.0)):
        pass
    with pytest.raises(NotPossible, match="RETENTION_WORDS_DAYS"):
        Decisions(ground.ledger.decisions, Rung()).undo(SUPPORT, line, "a mistake")


def test_viewer_may_look_without_the_address_and_decides_nothing(ground: Ground) -> None:
    link_id, line = a_line(ground)
    service = Decisions(ground.ledger.decisions, Rung())
    assert service.show(VIEWER, link_id).email is None
    assert service.show(SUPPORT, link_id).email == ADA.email
    for decide in (
        lambda: service.compare_now(VIEWER, link_id),
        lambda: service.undo(VIEWER, line, "why"),
        lambda: service.stop(VIEWER, link_id, "why"),
        lambda: service.go_on(VIEWER, link_id, "why"),
        lambda: service.choose_side(VIEWER, [1], Side.WIX, "why"),
    ):
        with pytest.raises((Forbidden, NotPossible)):
            decide()
    assert ground.ledger.decisions.rating(link_id).deciding is None


def test_owner_of_another_site_learns_not_even_that_it_is_there(ground: Ground) -> None:
    link_id, line = a_line(ground)
    service = Decisions(ground.ledger.decisions, Rung())
    stranger = Who("owner", Role.OWNER, ground.site_id + 1)
    with pytest.raises(UnknownRating):
        service.show(stranger, link_id)
    with pytest.raises(UnknownRating):
        service.stop(stranger, link_id, "why")
    with pytest.raises(UnknownLine):
        service.undo(stranger, line, "why")
    with pytest.raises(NotPossible, match="is not held"):
        service.choose_side(stranger, [1], Side.WIX, "why")
    owner = Who("owner", Role.OWNER, ground.site_id)
    assert service.compare_now(owner, link_id) > 0
