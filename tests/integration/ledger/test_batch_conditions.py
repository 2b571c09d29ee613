"""Each condition inside a batch of SQL, taken out, is missed: some step does what it must not do.

A batch goes on without waiting for an answer, so that a condition in its text stands where a plain
``if`` would. On PostgreSQL: SQLite takes its steps one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.links import Commit, Shown
from sync_worker.core.values import (
    Buried,
    HistoryEntry,
    HistoryKind,
    IntentState,
    Known,
    Lease,
    Operation,
    Side,
    Slot,
)
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import history, intent, link
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, an_intent
from tests.integration.ledger.conditions_out import condition_out
from tests.integration.ledger.ground import ADA, BOB, EXTERNAL_SLOT, Ground
from tests.twins.observed_ledger import ObservedLedger

pytestmark = pytest.mark.full

ON_WIX = Shown(Side.WIX, WIX_ENTITY, ADA.contact_id)
OUTSIDE = Shown(Side.EXTERNAL, EXTERNAL_ENTITY, str(ADA.email))
Story = Callable[[Ground], None]


@pytest.fixture
def ground(postgres_url: str) -> Iterator[Ground]:
    engine = open_engine(postgres_url)
    yield Ground(ObservedLedger(engine), None).set_up()
    engine.dispose()


def set_lease(ground: Ground, lease: Lease, seconds_left: float) -> None:
    """As if it had been taken earlier: the clock of PostgreSQL does not jump."""
    now = text("extract(epoch from clock_timestamp())::double precision + :left")
    changed = update(link).where(link.c.id == lease.link_id)
    with ground.ledger.engine.begin() as connection:
        connection.execute(changed.values(lease_until=now), {"left": seconds_left})


def is_lost(step: Callable[[], object]) -> bool:
    try:
        step()
    except LeaseLost:
        return True
    return False


# -- taking a lease


def merged_away_is_left_alone(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    ground.merge(ADA, BOB)
    assert ground.ledger.links.attach_shown(ground.stored(), ground.site_id, ON_WIX) is None


def erased_gets_no_link(ground: Ground) -> None:
    request = ground.stored(7, privacy=True)
    ground.ledger.merges.hint_erasure(ground.site_id, ADA.contact_id, request)
    assert ground.ledger.links.attach_shown(ground.stored(), ground.site_id, OUTSIDE) is None


def busy_lease_is_not_taken(ground: Ground) -> None:
    run = ground.leased()
    assert ground.ledger.links.attach(ground.stored(2), ground.key).run is None
    ground.ledger.links.renew(run.lease)


def busy_link_is_not_leased(ground: Ground) -> None:
    run = ground.leased()
    assert ground.ledger.links.lease(run.lease.link_id) is None
    ground.ledger.links.renew(run.lease)


def attached_to_a_busy_link_stays_new(ground: Ground) -> None:
    """Its holder looks for what is new as it ends: what counts as taken would be left behind."""
    run, second = ground.leased(), ground.stored(2)
    assert ground.ledger.links.attach(second, ground.key).run is None
    assert list(ground.ledger.links.release(run.lease)) == [second]


def beside_a_busy_lease_nothing_is_taken(ground: Ground) -> None:
    run, second = ground.leased(), ground.stored(2)
    ground.ledger.links.attach(second, ground.key)
    assert ground.ledger.links.lease(run.lease.link_id) is None
    assert list(ground.ledger.links.release(run.lease)) == [second]


def tombstone_is_told(ground: Ground) -> None:
    ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "rating-1"))
    assert ground.leased().unburied == frozenset()


def hashed_tombstone_is_told(ground: Ground) -> None:
    buried = Buried(Side.WIX, "rating-1", privacy=True)
    ground.ledger.directory.bury(ground.site_id, buried)
    assert ground.leased().unburied == frozenset()


def record_of_another_link_is_told(ground: Ground) -> None:
    other = ground.link(BOB, 2, records=False)
    moved = Commit(records={EXTERNAL_SLOT: Known("e1", 1)}, release=True)
    ground.ledger.links.commit(other.lease, moved)
    inbox_id = ground.stored(1, side=Side.EXTERNAL, source="own-service", remote_id="e1")
    run = ground.ledger.links.attach(inbox_id, ground.key).run
    assert run.unburied == frozenset()


def merge_of_its_contact_is_told(ground: Ground) -> None:
    bob, ada = ground.link(BOB, 1), ground.link(ADA, 2)
    for run in (bob, ada):
        ground.ledger.links.release(run.lease)
    ground.merge(BOB, ADA)
    again = [
        ground.ledger.links.attach(ground.stored(number), ground.key_of(who)).run
        for number, who in ((3, BOB), (4, ADA))
    ]
    assert again[0].merged_into == ADA.contact_id
    assert again[1].links_to_join == (bob.link.id,)


# -- the intent


def taken_over(ground: Ground) -> Lease:
    """A lease that ended, and whose link another run has."""
    late: Lease = ground.leased().lease
    ground.ledger.links.release(late)
    assert ground.ledger.links.lease(late.link_id) is not None
    return late


def ended(ground: Ground) -> Lease:
    """A lease that ended, and nobody has taken since."""
    late: Lease = ground.leased().lease
    set_lease(ground, late, -1.0)
    return late


def no_intent_under_the_lease_of_another(ground: Ground) -> None:
    late = taken_over(ground)
    assert is_lost(lambda: ground.ledger.links.open_intent(late, an_intent()))
    assert ground.ledger.open_intents() == 0


def no_intent_under_an_older_lease_of_another(ground: Ground) -> None:
    late = taken_over(ground)
    set_lease(ground, late, 5.0)
    assert is_lost(lambda: ground.ledger.links.open_intent(late, an_intent()))
    assert ground.ledger.open_intents() == 0


def no_intent_under_a_lease_that_ended(ground: Ground) -> None:
    late = ended(ground)
    assert is_lost(lambda: ground.ledger.links.open_intent(late, an_intent()))
    assert ground.ledger.open_intents() == 0


def older_lease_is_renewed_with_the_intent(ground: Ground) -> None:
    lease = ground.leased().lease
    set_lease(ground, lease, 5.0)
    assert ground.ledger.links.open_intent(lease, an_intent())
    left = text("SELECT lease_until - extract(epoch from clock_timestamp()) FROM link")
    with ground.ledger.engine.connect() as connection:
        assert connection.execute(left).scalar_one() > 10.0


def fresh_lease_takes_an_intent(ground: Ground) -> None:
    assert ground.ledger.links.open_intent(ground.leased().lease, an_intent())


# -- the brake

DELETED = HistoryEntry(HistoryKind.DELETE, Side.EXTERNAL, "overall", intent_id="i")


def may_delete(ground: Ground, lease: Lease, name: str = "intent-1") -> bool:
    gone = an_intent(name, operation=Operation.DELETE, targets={"overall": None}, remote_id="e1")
    return bool(ground.ledger.links.open_intent(lease, gone))


def after_deletes(ground: Ground, count: int) -> Lease:
    lease: Lease = ground.leased().lease
    ground.ledger.links.commit(lease, Commit(history=[DELETED] * count))
    return lease


def deletes_of_the_hour_are_counted(ground: Ground) -> None:
    lease = after_deletes(ground, 20)
    assert not may_delete(ground, lease)
    assert ground.ledger.open_intents() == 0


def deletes_under_way_are_counted(ground: Ground) -> None:
    lease, other = after_deletes(ground, 19), ground.link(BOB, 2).lease
    assert may_delete(ground, other, "intent-2")
    assert not may_delete(ground, lease)


def nineteen_pass(ground: Ground) -> None:
    """Other deletes than those of the hour, to this side, of this site, do not count."""
    lease, other = after_deletes(ground, 19), ground.link(BOB, 2).lease
    links, operation = ground.ledger.links, Operation.DELETE
    on_wix = HistoryEntry(HistoryKind.DELETE, Side.WIX, "overall", intent_id="i")
    update_line = HistoryEntry(HistoryKind.UPDATE, Side.EXTERNAL, "overall", intent_id="i")
    links.commit(other, Commit(history=[on_wix, update_line]))
    links.commit(other, Commit(history=[DELETED]))
    newest = select(func.max(history.c.id)).scalar_subquery()
    with ground.ledger.engine.begin() as connection:
        connection.execute(update(history).where(history.c.id == newest).values(at=1.0))
    uncounted = [
        an_intent("intent-2", slot=Slot(Side.WIX, "overall"), operation=operation),
        an_intent("intent-3", is_privacy=True, operation=operation),
        an_intent("intent-4", operation=Operation.UPDATE),
    ]
    for number, one in enumerate(uncounted):
        assert links.open_intent(other, one)
        assert may_delete(ground, lease, f"own-{number}"), one.id
        for each in (lease, other):
            links.commit(each, Commit(intent_state=IntentState.ABANDONED))
    # Abandoned ones do not count, either.
    with ground.ledger.engine.connect() as connection:
        assert len(connection.execute(intent.select()).all()) == 6
    assert may_delete(ground, lease, "own-3")


# -- a commit


def no_commit_under_the_lease_of_another(ground: Ground) -> None:
    late = taken_over(ground)
    change = Commit(records={EXTERNAL_SLOT: Known("e1", 1)})
    assert is_lost(lambda: ground.ledger.links.commit(late, change))
    located = ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e1")
    assert not located.is_on_file


def no_commit_under_a_lease_that_ended(ground: Ground) -> None:
    late = ended(ground)
    change = Commit(records={EXTERNAL_SLOT: Known("e1", 1)})
    assert is_lost(lambda: ground.ledger.links.commit(late, change))


def buried_record_does_not_come_on_file(ground: Ground) -> None:
    lease = ground.leased().lease
    ground.ledger.directory.bury(ground.site_id, Buried(Side.EXTERNAL, "e1"))
    change = Commit(records={EXTERNAL_SLOT: Known("e1", 1)}, release=True)
    ground.ledger.links.commit(lease, change)
    located = ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e1")
    assert not located.is_on_file


# The text, what is taken out of it, what stands there instead, and the story that misses it.
CONDITIONS: list[tuple[str, str, str, Story]] = [
    (
        "key.name_shown",
        "WHERE NOT EXISTS (SELECT 1 FROM contact_redirect AS away\n"
        "  WHERE away.site_id = :site_id AND away.contact_id = rater.contact_id)",
        "",
        merged_away_is_left_alone,
    ),
    ("link.new_if_absent", "AND tombstone.side = 'wix'", "AND false", erased_gets_no_link),
    (
        "link.take_lease_of_key",
        "AND lease_until <= ledger_now()",
        "",
        busy_lease_is_not_taken,
    ),
    ("link.take_lease", "AND lease_until <= ledger_now()", "", busy_link_is_not_leased),
    (
        "inbox.attach_own",
        "AND link.xmin = pg_current_xact_id()::xid",
        "",
        attached_to_a_busy_link_stays_new,
    ),
    (
        "inbox.take_own",
        "AND link.xmin = pg_current_xact_id()::xid",
        "",
        beside_a_busy_lease_nothing_is_taken,
    ),
    (
        "link.around_key",
        "AND tombstone.side IN ('wix', 'external')",
        "AND false",
        tombstone_is_told,
    ),
    (
        "link.around_key",
        "ARRAY[told.remote_id, ",
        "ARRAY[told.remote_id, 'not ' || ",
        hashed_tombstone_is_told,
    ),
    ("link.around_key", "AND other.id <> link.id", "AND false", record_of_another_link_is_told),
    (
        "link.around_key",
        "AND away.contact_id = link.contact_id",
        "AND false",
        merge_of_its_contact_is_told,
    ),
    (
        "link.around_key",
        "AND here.target_id = link.contact_id",
        "AND false",
        merge_of_its_contact_is_told,
    ),
    (
        "intent.new",
        "link.fence = :fence AND link.lease_until > clock.now + :fresh_seconds::float8",
        "link.lease_until > clock.now + :fresh_seconds::float8",
        no_intent_under_the_lease_of_another,
    ),
    (
        "intent.new",
        "link.fence = :fence AND link.lease_until > clock.now AND",
        "link.lease_until > clock.now AND",
        no_intent_under_an_older_lease_of_another,
    ),
    (
        "intent.new",
        "AND link.lease_until > clock.now AND",
        "AND",
        no_intent_under_a_lease_that_ended,
    ),
    (
        "intent.new",
        "AND link.lease_until > clock.now + :fresh_seconds::float8",
        "AND link.lease_until > clock.now",
        older_lease_is_renewed_with_the_intent,
    ),
    ("intent.new", "SELECT id FROM renewed UNION ALL", "", older_lease_is_renewed_with_the_intent),
    ("intent.new", "UNION ALL SELECT id FROM fresh", "", fresh_lease_takes_an_intent),
    ("brake.pass_or_refuse", "AND at > ledger_now() - 3600.0)", ")", nineteen_pass),
    ("brake.pass_or_refuse", "ELSE 0 END", "ELSE 1 END", deletes_of_the_hour_are_counted),
    ("brake.pass_or_refuse", "WHERE state = 'open'", "WHERE false", deletes_under_way_are_counted),
    ("brake.pass_or_refuse", "WHERE state = 'open'", "WHERE true", nineteen_pass),
    ("brake.pass_or_refuse", "AND NOT is_privacy", "", nineteen_pass),
    (
        "link.change_or_refuse",
        "AND fence = :fence",
        "",
        no_commit_under_the_lease_of_another,
    ),
    (
        "link.change_or_refuse",
        "AND lease_until > ledger_now()",
        "",
        no_commit_under_a_lease_that_ended,
    ),
    (
        "link.change_or_refuse",
        "AND tombstone.side IN ('wix', 'external')",
        "AND false",
        buried_record_does_not_come_on_file,
    ),
]


MISSED = (AssertionError, LeaseLost, IntegrityError)


@pytest.mark.parametrize(
    "number", range(len(CONDITIONS)), ids=[f"{one[0]}-{one[3].__name__}" for one in CONDITIONS]
)
def test_condition_is_missed(ground: Ground, number: int) -> None:
    name, condition, instead, story = CONDITIONS[number]
    # Not by any error: a text that PostgreSQL does not understand proves nothing.
    with condition_out(name, condition, instead), pytest.raises(MISSED):
        story(ground)


@pytest.mark.parametrize(
    "story", dict.fromkeys(one[3] for one in CONDITIONS), ids=lambda story: str(story.__name__)
)
def test_story_goes_well_with_all_conditions(ground: Ground, story: Story) -> None:
    story(ground)
