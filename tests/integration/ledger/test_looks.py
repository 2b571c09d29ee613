"""Looks at catalogues and proposed pairs, alike on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side, SiteState
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from tests.simulation.world import OVERALL

MUG, BOWL = EntityRef("7"), EntityRef("8")


@pytest.fixture
def ledger(database_url: str) -> Iterator[tuple[LedgerAdmin, SqlLedger]]:
    engine = open_engine(database_url)
    upgrade(engine)
    yield ledger_admin(engine), sql_ledger(engine)
    engine.dispose()


def hold(ledger: SqlLedger, side: Side, source: str, ref: EntityRef) -> None:
    name = f"{source}-{ref.entity_id}"
    new = NewDelivery(side, source, name, Change.UPSERT, name, {})
    stored = ledger.inbox.store(new)
    key = entity_hold_key(side, ref)
    ledger.inbox.hold([stored.inbox_id], "unknown_entity", hold_key=key)


def test_look_is_due_on_both_sides_once_and_at_work_only(
    ledger: tuple[LedgerAdmin, SqlLedger],
) -> None:
    admin, worker = ledger
    sites = [admin.sites.add(f"i{n}", f"c{n}", [OVERALL])[0] for n in range(4)]
    hold(worker, Side.WIX, "i0", MUG)
    hold(worker, Side.EXTERNAL, "c1", MUG)
    hold(worker, Side.EXTERNAL, "c1", BOWL)
    hold(worker, Side.EXTERNAL, "c2", MUG)
    admin.sites.set_state(sites[2].id, SiteState.PAUSED)
    assert admin.looks.due_sites(20) == [sites[0].id, sites[1].id]
    assert admin.looks.due_sites(1) == [sites[0].id]
    assert admin.looks.claim(sites[0].id)
    assert not admin.looks.claim(sites[0].id)
    assert admin.looks.due_sites(20) == [sites[1].id]
    keys = admin.looks.waiting_keys(sites[1])
    assert sorted(keys) == [entity_hold_key(Side.EXTERNAL, one) for one in (MUG, BOWL)]
    admin.looks.note_asked(sites[1].id, keys)
    admin.looks.note_asked(sites[1].id, keys)
    assert admin.looks.waiting_keys(sites[1]) == []
    assert admin.looks.due_sites(20) == []
    assert worker.directory.is_catalogue_asked(sites[1].id, keys[0])
    assert not worker.directory.is_catalogue_asked(sites[0].id, keys[0])
    admin.looks.note(sites[1].id, {"wix": 3}, "it ends\0never" * 1000)
    last = admin.looks.last(sites[1].id)
    assert last is not None
    assert last.counts == {"wix": 3}


def test_proposals_are_replaced_refused_and_mapped_by_site(
    ledger: tuple[LedgerAdmin, SqlLedger],
) -> None:
    admin, _ = ledger
    mine, other = (admin.sites.add(f"i{n}", f"c{n}", [OVERALL])[0] for n in range(2))
    pairs = [
        ProposedPair(EntityRef(f"w{n}", "stores", "reviews"), EntityRef(str(n)), "sku", f"Mug {n}")
        for n in range(3)
    ]
    for site in (mine, other):
        admin.proposals.replace(site.id, pairs)
    first, second, third = admin.proposals.open(mine.id)
    assert admin.proposals.refuse(other.id, [first.id]) == 0
    assert admin.proposals.refuse(mine.id, [first.id]) == 1
    admin.proposals.replace(mine.id, pairs)
    assert [one.title for one in admin.proposals.open(mine.id)] == ["Mug 1", "Mug 2"]
    assert admin.proposals.counts(mine.id) == {"sku": 2}
    second, third = admin.proposals.open(mine.id)
    assert admin.proposals.open(mine.id, second.id) == [third]
    admin.mappings.import_entities(mine, [(second.wix, second.external)])
    admin.proposals.mapped(mine.id, [second])
    assert admin.proposals.open(mine.id) == [third]
    assert len(admin.proposals.open(other.id)) == 3


def test_steps_of_two_at_once_do_not_undo_each_other(
    ledger: tuple[LedgerAdmin, SqlLedger],
) -> None:
    admin, _ = ledger
    site, _ = admin.sites.add("i", "c", [OVERALL])
    assert admin.onboarding.steps(site.id) == {}
    admin.onboarding.note(site.id, "probe", "done", "fine", "a")
    admin.onboarding.note(site.id, "scale", "waits", "look", "b")
    steps = admin.onboarding.steps(site.id)
    assert {name: one["state"] for name, one in steps.items()} == {
        "probe": "done",
        "scale": "waits",
    }
    assert steps["scale"]["actor"] == "b"
