"""A living site changes its API of Wix: what is set aside, what comes back, and what waits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from sync_worker.core.errors import LeaseLost, Misconfigured
from sync_worker.core.ports.links import Commit
from sync_worker.core.processes import Process, ProcessKind, our_version
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    Base,
    Change,
    Intent,
    IntentState,
    Known,
    LinkState,
    Side,
    SiteState,
)
from sync_worker.ledger.administration.mappings import ImportRefused
from sync_worker.ledger.administration.wix_change import refuse_unsettled
from sync_worker.ledger.tables import inbox, intent, run
from tests.factories import an_intent
from tests.integration.ledger.ground import ADA, BOB, EXTERNAL_SLOT, WIX_SLOT
from tests.integration.ledger.wix_change_ground import RATINGS, REVIEWS, STARS, ChangeGround, site
from tests.simulation.world import OVERALL

__all__ = ["site"]  # a fixture


def test_links_are_set_aside_with_their_ids_and_come_back(site: ChangeGround) -> None:
    ada = site.ground.link(ADA, 1).lease.link_id
    before = site.link(ada)
    done = site.change(REVIEWS)
    assert (done.links, done.returned, done.site.wix_api) == (1, 0, REVIEWS)
    as_new = site.link(ada)
    assert (as_new.records, as_new.bases, as_new.state) == ({}, {}, LinkState.LIVE)
    assert as_new.key == before.key
    assert site.on_file(Side.WIX, "w1") is site.on_file(Side.EXTERNAL, "e1") is None
    # What happens meanwhile is of the other API alone.
    run_of_ada = site.ledger.links.attach(site.ground.stored(7), before.key).run
    new = Commit(bases={"overall": Base(Decimal(4), Decimal(4))}, link_state=LinkState.HELD)
    site.ledger.links.commit(run_of_ada.lease, new)
    done = site.change(RATINGS)
    assert (done.links, done.returned, done.site.wix_api) == (1, 1, RATINGS)
    back = site.link(ada)
    assert (back.records, back.bases, back.state) == (before.records, before.bases, before.state)
    assert back.records[EXTERNAL_SLOT].raw == before.records[EXTERNAL_SLOT].raw
    assert site.on_file(Side.WIX, "w1") is not None
    assert site.change(REVIEWS).returned == 1
    assert site.link(ada).state is LinkState.HELD


def test_fields_of_each_api_are_its_own(site: ChangeGround) -> None:
    assert site.change(REVIEWS).site.fields == (STARS,)
    assert site.change(RATINGS).site.fields == (OVERALL,)
    assert site.change(REVIEWS).site.fields == (STARS,)


@pytest.mark.parametrize(
    ("attribute", "scale"),
    [("quality", (1, 5, 1)), ("overall", (0, 100, 1)), ("overall", (1, 5, "0.5"))],
)
def test_reviews_have_one_mark_of_whole_stars(
    site: ChangeGround, attribute: str, scale: tuple[Any, ...]
) -> None:
    reviews = site.change(REVIEWS).site
    field = FieldMap(attribute, "value", Scale(*map(Decimal, scale)), OVERALL.external)
    with pytest.raises(ImportRefused) as refused:
        site.admin.fields.import_fields(reviews, [field])
    assert "one mark, `overall`, of 1 to 5 whole stars" in refused.value.problems[0]
    assert site.admin.fields.import_fields(reviews, [STARS]).unchanged == 1


def test_what_the_other_api_has_told_ends_and_the_rest_stays(site: ChangeGround) -> None:
    stored = site.ground.stored
    waiting, held = stored(1), stored(2)
    erasing = stored(3, change=Change.DELETE, privacy=True)
    person = stored(4, change=Change.CONTACT_CHANGED)
    outside = stored(5, side=Side.EXTERNAL, source="own-service")
    site.ledger.inbox.hold([held], "unknown_contact", hold_key="contact:x")
    plan = site.admin.wix_change.plan(site.ledger.site(site.ground.site_id), REVIEWS)
    assert (plan.deliveries, plan.links) == (2, 0)
    assert site.change(REVIEWS).deliveries == 2
    with site.ledger.engine.connect() as connection:
        rows = connection.execute(select(inbox.c.id, inbox.c.state, inbox.c.reason)).all()
    ended = {row.id: (row.state, row.reason) for row in rows}
    assert ended[waiting] == ended[held] == ("done", "other_wix_api")
    assert {ended[one][0] for one in (erasing, person, outside)} == {"new"}


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0.dev1", "", "of my own"])
def test_living_process_of_an_older_version_refuses_the_change(
    site: ChangeGround, version: str
) -> None:
    """It knows one API of Wix alone, and would delete what it does not find there."""
    worker = Process(ProcessKind.WORKER, "box-a", 41, version)
    site.admin.heartbeats.note(worker)
    known = site.ledger.site(site.ground.site_id)
    with pytest.raises(Misconfigured) as refused:
        refuse_unsettled(known, site.admin.wix_change.plan(known, REVIEWS))
    said = str(refused.value)
    assert f"the worker on box-a (pid 41) runs version {version or 'unknown'}" in said
    assert f"this is version {our_version()}" in said
    assert "upgrade or stop" in said
    with pytest.raises(Misconfigured):
        site.change(REVIEWS)
    assert site.ledger.site(site.ground.site_id).wix_api is RATINGS
    site.admin.heartbeats.note_stop(worker)
    assert site.change(REVIEWS).site.wix_api is REVIEWS


def test_old_signs_and_newer_processes_refuse_no_change(site: ChangeGround) -> None:
    site.admin.heartbeats.note(Process(ProcessKind.WORKER, "box-a", 41, "0.0.9"), ago=120)
    for pid, version in enumerate((our_version(), "0.1.1rc1", "99.0")):
        site.admin.heartbeats.note(Process(ProcessKind.GATEWAY, "box-b", pid, version))
    # A worker tells of its scheduler, and knows no version of it.
    site.admin.heartbeats.note(Process(ProcessKind.BEAT, "box-b", 9))
    assert site.change(REVIEWS).site.wix_api is REVIEWS


def test_who_has_a_link_or_a_sweep_in_hand_loses_it(site: ChangeGround) -> None:
    leased = site.ground.link(ADA, 1)
    sweep = site.ledger.sweeps.begin(site.ground.site_id, RunKind.SWEEP)
    site.change(REVIEWS)
    with pytest.raises(LeaseLost):
        site.ledger.links.commit(leased.lease, Commit(link_state=LinkState.HELD))
    with pytest.raises(LeaseLost):
        site.ledger.sweeps.save(sweep)
    with site.ledger.engine.connect() as connection:
        assert connection.execute(select(run.c.reason)).scalars().all() == [
            "the site changed to wix_api=reviews"
        ]


def opened(site: ChangeGround, new: Intent, number: int) -> None:
    leased = site.ground.link(ADA if number == 1 else BOB, number)
    site.ledger.links.open_intent(leased.lease, new)


def test_write_outside_of_unknown_outcome_is_settled_first(site: ChangeGround) -> None:
    opened(site, an_intent(), 1)
    with pytest.raises(Misconfigured, match="1 writes to own-service have no known outcome"):
        site.change(REVIEWS)
    now = site.ledger.site(site.ground.site_id)
    assert (now.wix_api, now.state) == (RATINGS, SiteState.PAUSED)
    assert site.on_file(Side.WIX, "w1") is not None


@pytest.mark.parametrize("is_held", [False, True])
def test_delete_on_wix_crosses_first_or_is_dropped(site: ChangeGround, is_held: bool) -> None:
    """Ended by the change it would bring back, in public, what its author has deleted."""
    site.ground.link(ADA, 1)
    with site.ledger.engine.begin() as connection:
        connection.execute(update(inbox).values(state="done"))
    gone = site.ground.stored(2, change=Change.DELETE)
    outside = site.ground.stored(3, change=Change.DELETE, side=Side.EXTERNAL, source="own-service")
    if is_held:
        site.ledger.inbox.hold([gone], "site_recovery")
    with pytest.raises(Misconfigured, match="1 deletes on Wix have not crossed yet") as refused:
        site.change(REVIEWS)
    assert "`ratings-sync held drop`" in str(refused.value)
    assert site.ledger.site(site.ground.site_id).wix_api is RATINGS
    assert site.on_file(Side.WIX, "w1") is not None
    with site.ledger.engine.begin() as connection:
        connection.execute(update(inbox).where(inbox.c.id == gone).values(state="done"))
    assert site.change(REVIEWS).links == 1
    with site.ledger.engine.connect() as connection:
        of_outside = select(inbox.c.state).where(inbox.c.id == outside)
        assert connection.execute(of_outside).scalar_one() == "new"


def test_write_to_the_api_that_is_left_is_looked_for_no_more(site: ChangeGround) -> None:
    opened(site, an_intent(slot=WIX_SLOT), 1)
    site.change(REVIEWS)
    with site.ledger.engine.connect() as connection:
        states = connection.execute(select(intent.c.state)).scalars().all()
    assert states == [str(IntentState.ABANDONED)]


def test_file_that_is_being_imported_has_its_end_first(site: ChangeGround) -> None:
    open_import = {"site_id": site.ground.site_id, "kind": "import", "state": "running"}
    with site.ledger.engine.begin() as connection:
        times = {"started_at": 1.0, "lease_until": 1e12}
        connection.execute(run.insert().values(open_import | times))
    with pytest.raises(Misconfigured, match="being imported"):
        site.change(REVIEWS)


def test_site_that_is_at_work_is_not_changed(site: ChangeGround) -> None:
    """Somebody has resumed it between the pause and the change."""
    with pytest.raises(Misconfigured, match="resumed meanwhile"):
        site.admin.wix_change.change(site.ground.site_id, REVIEWS, [STARS], SiteState.RECOVERY)


def test_nothing_goes_on_by_itself_before_the_new_baseline(site: ChangeGround) -> None:
    site_id = site.ground.site_id
    site.compare()
    is_due = site.ledger.sweeps.is_due
    assert is_due(site_id, RunKind.SWEEP, -1.0)
    site.change(REVIEWS)
    assert site.ledger.site(site_id).state is SiteState.RECOVERY
    assert site.admin.wix_change.awaits_baseline(site_id)
    assert not is_due(site_id, RunKind.SWEEP, -1.0)
    assert not is_due(site_id, RunKind.POLL, -1.0)
    with pytest.raises(Misconfigured, match="were not compared since"):
        site.admin.sites.set_state(site_id, SiteState.ACTIVE)
    # Neither a pause and its end nor a new installation of the app is a way around.
    site.admin.sites.set_state(site_id, SiteState.PAUSED)
    site.admin.sites.set_state(site_id, SiteState.ACTIVE)
    assert site.ledger.site(site_id).state is SiteState.RECOVERY
    site.ledger.sites.note_lifecycle(site_id, SiteState.REMOVED, 1.0)
    site.ledger.sites.note_lifecycle(site_id, SiteState.ACTIVE, 2.0)
    assert site.ledger.site(site_id).state is SiteState.RECOVERY
    (standing,) = site.admin.standing.sites()
    assert (standing.is_compared, standing.is_changed) == (False, True)
    site.compare()
    site.admin.sites.set_state(site_id, SiteState.ACTIVE)
    assert site.ledger.site(site_id).state is SiteState.ACTIVE
    assert is_due(site_id, RunKind.SWEEP, -1.0)


def test_link_that_is_buried_stays_so(site: ChangeGround) -> None:
    leased = site.ground.link(ADA, 1)
    gone = Commit(
        records=dict.fromkeys((WIX_SLOT, EXTERNAL_SLOT)), link_state=LinkState.BURIED, release=True
    )
    site.ledger.links.commit(leased.lease, gone)
    assert site.change(REVIEWS).links == 0
    assert site.link(leased.lease.link_id).state is LinkState.BURIED


def test_link_that_was_buried_meanwhile_comes_back(site: ChangeGround) -> None:
    """Compared anew in the other API, and deleted there."""
    ada = site.ground.link(ADA, 1).lease.link_id
    before = site.link(ada)
    site.change(REVIEWS)
    lease = site.ledger.links.attach(site.ground.stored(7), before.key).run.lease
    found = {WIX_SLOT: Known("r1", 1, 1), EXTERNAL_SLOT: Known("e1", 1, 1)}
    agreed = {"overall": Base(Decimal(4), Decimal(4))}
    site.ledger.links.commit(lease, Commit(records=found, bases=agreed))
    gone, nothing = dict.fromkeys(found), {"overall": Base()}
    buried = Commit(records=gone, bases=nothing, link_state=LinkState.BURIED)
    site.ledger.links.commit(lease, buried)
    assert site.change(RATINGS).returned == 1
    back = site.link(ada)
    assert (back.records, back.bases, back.state) == (before.records, before.bases, before.state)


def test_more_links_than_one_statement_takes(
    site: ChangeGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.ledger.statements.set_aside.AT_ONCE", 1)
    ids = [site.ground.link(who, number).lease.link_id for number, who in enumerate((ADA, BOB))]
    assert site.change(REVIEWS).links == 2
    assert site.change(RATINGS).returned == 2
    assert all(site.link(link_id).records for link_id in ids)


def test_change_to_what_it_is_changes_nothing(site: ChangeGround) -> None:
    site.ground.link(ADA, 1)
    with site.ledger.engine.begin() as connection:
        connection.execute(update(inbox).values(state="done"))
    done = site.change(RATINGS)
    assert (done.links, done.site.state) == (0, SiteState.PAUSED)
