"""A living site changes its API of Wix: what is set aside, what comes back, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from sync_worker.core.errors import LeaseLost, Misconfigured
from sync_worker.core.ports.links import Commit
from sync_worker.core.processes import Process, ProcessKind, our_version
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.sweep_values import OnFile, RunKind
from sync_worker.core.values import (
    Base,
    Buried,
    Change,
    Contact,
    Intent,
    IntentState,
    Known,
    Link,
    LinkState,
    Side,
    SiteState,
    WixKind,
)
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.mappings import ImportRefused
from sync_worker.ledger.administration.wix_change import refuse_unsettled
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.process_tables import set_aside
from sync_worker.ledger.statements.links import read_link
from sync_worker.ledger.tables import inbox, intent, run
from tests.factories import an_intent
from tests.integration.ledger.ground import ADA, BOB, EXTERNAL_SLOT, WIX_SLOT, Ground
from tests.simulation.world import OVERALL
from tests.twins.observed_ledger import ObservedLedger

ONE, FIVE = Decimal(1), Decimal(5)
STARS = FieldMap("overall", "value", Scale(ONE, FIVE, ONE), OVERALL.external)
REVIEWS, RATINGS = WixKind.REVIEWS, WixKind.RATINGS


@dataclass
class ChangeGround:
    """A ledger with links of two people, and what changes the API of its site."""

    ground: Ground

    @property
    def ledger(self) -> Any:
        return self.ground.ledger

    @property
    def admin(self) -> LedgerAdmin:
        return ledger_admin(self.ledger.engine)

    def change(self, kind: WixKind) -> Any:
        """As the command does it, but for its waiting."""
        self.admin.sites.set_state(self.ground.site_id, SiteState.PAUSED)
        return self.admin.wix_change.change(self.ground.site_id, kind, [STARS], SiteState.RECOVERY)

    def link(self, link_id: int) -> Link:
        with self.ledger.transactions.read() as connection:
            return read_link(connection, link_id)

    def on_file(self, side: Side, remote_id: str) -> OnFile | None:
        site = self.ledger.site(self.ground.site_id)
        found: OnFile | None = self.ledger.sweeps.on_file(site, side, [remote_id]).get(remote_id)
        return found

    def compare(self) -> None:
        """The new baseline, confirmed and done."""
        sweep = self.ledger.sweeps.begin(self.ground.site_id, RunKind.SWEEP)
        assert sweep.kind is RunKind.BASELINE
        self.ledger.sweeps.end(sweep)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def site(request: pytest.FixtureRequest) -> Iterator[ChangeGround]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield ChangeGround(Ground(ObservedLedger(engine), None).set_up())
    engine.dispose()


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


def test_erased_person_is_erased_from_what_is_set_aside(site: ChangeGround) -> None:
    ada, bob = site.ground.link(ADA, 1), site.ground.link(BOB, 2)
    site.change(REVIEWS)
    leased = site.ledger.links.attach(site.ground.stored(8), site.ground.key).run
    site.ground.erase(leased, 8)
    with site.ledger.engine.connect() as connection:
        kept = connection.execute(select(set_aside.c.link_id)).scalars().all()
    assert kept == [bob.lease.link_id]
    assert site.change(RATINGS).returned == 1
    assert site.link(ada.lease.link_id).records == {}


@pytest.mark.parametrize(("side", "remote_id"), [(Side.WIX, "w1"), (Side.EXTERNAL, "e1")])
def test_request_to_forget_finds_a_link_that_is_set_aside(
    site: ChangeGround, side: Side, remote_id: str
) -> None:
    """One of Wix reaches the external record; the ids of both sides are hashed at the end."""
    site_id, directory = site.ground.site_id, site.ledger.directory
    site.ground.link(ADA, 1)
    site.ground.link(BOB, 2)
    site.change(REVIEWS)
    for unknown in (remote_id[:1], "%1", f'"{remote_id}"', "w9"):
        assert directory.reopen_set_aside(site_id, side, unknown) is None
    assert directory.reopen_set_aside(site_id, side.other, remote_id) is None
    assert directory.reopen_set_aside(site_id, side, remote_id) == site.ground.key
    on_file = site.on_file(Side.EXTERNAL, "e1")
    assert (on_file is not None) == (side is Side.WIX)
    assert site.on_file(Side.WIX, "w1") is None
    leased = site.ledger.links.attach(site.ground.stored(8), site.ground.key).run
    gone = Commit(link_state=LinkState.BURIED, release=True, erases=True)
    site.ledger.links.commit(
        leased.lease,
        replace(gone, records={EXTERNAL_SLOT: None}, buried=[Buried(side, remote_id)]),
    )
    for one, name in ((Side.WIX, "w1"), (Side.EXTERNAL, "e1")):
        assert directory.locate(site_id, one, name).buried == Buried(one, name, privacy=True)
    assert site.change(RATINGS).returned == 1
    assert "'w2'" in site.ledger.everything()


def test_record_on_file_again_is_left_to_its_link(site: ChangeGround) -> None:
    """The other API has found the same external record, for another person."""
    site.ground.link(ADA, 1)
    bob = site.ground.link(BOB, 2, records=False)
    site.change(REVIEWS)
    bob = site.ledger.links.lease(bob.lease.link_id)
    site.ledger.links.commit(bob.lease, Commit(records={EXTERNAL_SLOT: Known("e1", 2)}))
    site_id, locate = site.ground.site_id, site.ledger.directory.locate
    assert site.ledger.directory.reopen_set_aside(site_id, Side.WIX, "w1") == site.ground.key
    assert locate(site_id, Side.EXTERNAL, "e1").key == site.ground.key_of(BOB)


@pytest.mark.parametrize(("side", "remote_id"), [(Side.WIX, "w1"), (Side.EXTERNAL, "e1")])
def test_link_with_an_erased_record_does_not_come_back(
    site: ChangeGround, side: Side, remote_id: str
) -> None:
    ada, bob = (site.ground.link(who, number + 1) for number, who in enumerate((ADA, BOB)))
    site.change(REVIEWS)
    erased = Buried(side, remote_id, privacy=True)
    assert site.ledger.directory.bury(site.ground.site_id, erased)
    assert site.change(RATINGS).returned == 1
    assert site.link(ada.lease.link_id).records == {}
    assert site.link(bob.lease.link_id).records != {}
    with site.ledger.engine.connect() as connection:
        kept = connection.execute(select(set_aside.c.link_id, set_aside.c.wix_api)).all()
    assert kept == []


def ask_to_erase(site: ChangeGround, who: Contact, number: int) -> Link:
    """The link of a person as the run finds it that is to erase it outside."""
    change = Change.CONTACT_DELETED
    asked = site.ground.stored(number, change=change, remote_id=who.contact_id, privacy=True)
    (link_id,) = site.ledger.merges.hint_erasure(site.ground.site_id, who.contact_id, asked)
    leased = site.ledger.links.lease(link_id)
    assert [one.new.change for one in leased.deliveries][-1] is Change.ERASE
    found: Link = leased.link
    return found


def test_person_who_is_erased_has_on_file_outside_what_was_set_aside(site: ChangeGround) -> None:
    """Else nothing would remove the external record, and its id would be forgotten."""
    for number, who in enumerate((ADA, BOB)):
        site.ground.link(who, number + 1)
    site.change(REVIEWS)
    records = ask_to_erase(site, ADA, 8).records
    assert {slot: known.remote_id for slot, known in records.items()} == {EXTERNAL_SLOT: "e1"}
    assert records[EXTERNAL_SLOT].raw == {"by": ADA.email}
    assert site.on_file(Side.EXTERNAL, "e2") is None


@pytest.mark.parametrize("of", [ADA, BOB])
def test_record_that_is_on_file_by_now_stays_where_it_is(site: ChangeGround, of: Contact) -> None:
    """The link has found another one, or another link has found this one."""
    ada, bob = (site.ground.link(who, number + 1) for number, who in enumerate((ADA, BOB)))
    site.change(REVIEWS)
    found = {ADA: (ada.lease.link_id, "e9"), BOB: (bob.lease.link_id, "e1")}
    link_id, remote_id = found[of]
    leased = site.ledger.links.lease(link_id)
    site.ledger.links.commit(
        leased.lease, Commit(records={EXTERNAL_SLOT: Known(remote_id, 2)}, release=True)
    )
    records = ask_to_erase(site, ADA, 8).records
    shown = {known.remote_id for known in records.values()}
    assert shown == ({"e9"} if of is ADA else set())


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
