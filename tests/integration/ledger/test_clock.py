"""The ledger's clock where the database's is set back or jumps ahead: time goes on, in all
processes and after restarts, and nothing is forgotten or given up for a jump.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine, create_engine, event, select, text

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import InboxState
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.statements.clock import seen_times
from sync_worker.ledger.tables import inbox
from tests.factories import a_delivery

DAY = 86_400.0
YEAR = 365 * DAY
AHEAD = 600.0  # how far a jump is followed


@dataclass
class Machine:
    """A database whose clock a person sets; ``start`` opens a process of its own on it."""

    url: str
    set_by: Callable[[float], None]
    clock: Callable[[], float] | None
    engines: list[Engine]
    passed: list[float] = field(default_factory=lambda: [0.0])

    def pass_time(self, seconds: float) -> None:
        """The time that really goes by, as every process knows from its own machine."""
        self.passed[0] += seconds
        self.set_by(seconds)

    def start(self) -> SqlLedger:
        engine = open_engine(
            self.url, clock=self.clock, monotonic=lambda: time.monotonic() + self.passed[0]
        )
        self.engines.append(engine)
        upgrade(engine)
        return sql_ledger(engine)


def time_of(ledger: SqlLedger) -> float:
    return ledger_admin(ledger.engine).questions.now()


def received(ledger: SqlLedger) -> list[float]:
    with ledger.transactions.read() as connection:
        return list(connection.execute(select(inbox.c.received_at).order_by(inbox.c.id)).scalars())


def state_of(ledger: SqlLedger, inbox_id: int) -> str:
    with ledger.transactions.read() as connection:
        its_row = select(inbox.c.state).where(inbox.c.id == inbox_id)
        return str(connection.execute(its_row).scalar_one())


@pytest.fixture(params=["sqlite", "postgresql"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    made = _sqlite if request.param == "sqlite" else _postgresql
    url = request.getfixturevalue("sqlite_url" if made is _sqlite else "postgres_url")
    machine = made(url)
    yield machine
    for engine in machine.engines:
        engine.dispose()


def _sqlite(url: str) -> Machine:
    now = [time.time()]

    def set_by(seconds: float) -> None:
        now[0] += seconds

    return Machine(url, set_by, lambda: now[0], [])


def _postgresql(url: str) -> Machine:
    """Its clock is the server's; a function of the same name that comes first shifts it."""
    admin = create_engine(url)
    with admin.begin() as connection:
        for statement in (
            "CREATE SCHEMA machine",
            "CREATE TABLE machine.set_by (seconds float)",
            "INSERT INTO machine.set_by VALUES (0)",
            "CREATE FUNCTION machine.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
            " $$ SELECT pg_catalog.clock_timestamp()"
            " + (SELECT seconds FROM machine.set_by) * interval '1 second' $$",
        ):
            connection.execute(text(statement))
        name = connection.engine.url.database
        path = f"ALTER DATABASE {name} SET search_path = machine, pg_catalog, public"
        connection.execute(text(path))
    admin.dispose()
    admin = create_engine(url)

    def set_by(seconds: float) -> None:
        with admin.begin() as connection:
            more = text("UPDATE machine.set_by SET seconds = seconds + :more")
            connection.execute(more, {"more": seconds})

    return Machine(url, set_by, None, [admin])


def test_what_was_put_off_is_due_in_time_after_the_clock_was_set_back(machine: Machine) -> None:
    ledger = machine.start()
    inbox_id = ledger.inbox.store(a_delivery()).inbox_id
    ledger.inbox.defer([inbox_id], 30.0, "the remote is down", is_failure=True)
    machine.set_by(-DAY)
    assert ledger.inbox.due(10) == []
    machine.pass_time(31.0)
    assert ledger.inbox.due(10) == [inbox_id]


def test_time_goes_on_at_its_speed_after_the_clock_was_set_back(machine: Machine) -> None:
    ledger = machine.start()
    ledger.inbox.due(10)
    before = time_of(ledger)
    machine.set_by(-DAY)
    ledger.inbox.due(10)
    assert time_of(ledger) == pytest.approx(before, abs=2.0)
    for passed in (100.0, 1_000.0):
        machine.pass_time(100.0 if passed == 100.0 else 900.0)
        assert time_of(ledger) == pytest.approx(before + passed, abs=3.0)


def test_no_time_is_told_twice_or_before_an_earlier_one(machine: Machine) -> None:
    ledger = machine.start()
    ledger.inbox.due(10)
    for number in range(6):
        ledger.inbox.store(a_delivery(number))
        if number % 2:
            machine.set_by(-DAY)
        else:
            machine.pass_time(7.0)
        ledger.inbox.due(10)
    times = received(ledger)
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(3 * 7.0, abs=8.0)


def test_clock_set_back_while_nothing_ran_is_noticed_at_the_start(machine: Machine) -> None:
    """Nobody had noted the time: the newest delivery tells it."""
    before = machine.start()
    inbox_id = before.inbox.store(a_delivery()).inbox_id
    stored_at = received(before)[0]
    machine.set_by(-DAY)
    after = machine.start()
    assert after.inbox.due(10) == []
    machine.pass_time(6.0)
    assert after.inbox.due(10) == [inbox_id]
    assert time_of(after) == pytest.approx(stored_at + 6.0, abs=3.0)


def test_time_passes_while_nothing_runs_after_the_clock_was_set_back(machine: Machine) -> None:
    before = machine.start()
    before.inbox.due(10)
    machine.set_by(-DAY)
    before.inbox.due(10)
    told = time_of(before)
    machine.pass_time(8 * 3600.0)
    assert time_of(machine.start()) == pytest.approx(told + 8 * 3600.0, abs=3.0)


def test_two_processes_tell_the_same_time_after_the_clock_was_set_back(machine: Machine) -> None:
    worker, gateway = machine.start(), machine.start()
    gateway.inbox.store(a_delivery(1))
    worker.inbox.due(10)
    machine.set_by(-DAY)
    worker.inbox.due(10)
    assert time_of(gateway) == pytest.approx(time_of(worker), abs=2.0)
    machine.pass_time(60.0)
    assert time_of(machine.start()) == pytest.approx(time_of(worker), abs=2.0)


def test_clock_that_is_wrong_in_one_process_does_not_run_away(sqlite_url: str) -> None:
    """SQLite's clock is each process's own: the one that is ahead leads, and that is all."""
    now = 1_000_000.0
    right = sql_ledger(open_engine(sqlite_url, clock=lambda: now))
    wrong = sql_ledger(open_engine(sqlite_url, clock=lambda: now + 3600.0))
    upgrade(right.engine)
    for number in range(20):
        now += 7.0
        right.inbox.store(a_delivery(number))
        (right if number % 2 else wrong).inbox.due(10)
    assert max(time_of(right), time_of(wrong)) - now == pytest.approx(3600.0, abs=10.0)
    for ledger in (right, wrong):
        ledger.engine.dispose()


def test_time_is_noted_once_in_five_seconds_however_often_is_swept(sqlite_url: str) -> None:
    now = 1_000_000.0
    ledger = sql_ledger(open_engine(sqlite_url, clock=lambda: now))
    upgrade(ledger.engine)
    notes: list[str] = []

    def traced(statement: str) -> None:
        if "INSERT INTO ledger_clock" in statement:
            notes.append(statement)

    @event.listens_for(ledger.engine, "checkout")
    def _trace(driver: sqlite3.Connection, record: object, fairy: object) -> None:
        driver.set_trace_callback(traced)

    for _ in range(20):
        now += 1.0
        ledger.inbox.due(10)
    assert 2 <= len(notes) <= 5
    ledger.engine.dispose()


def test_doctor_tells_of_the_added_time_and_trusts_the_clock(machine: Machine) -> None:
    ledger = machine.start()
    ledger.inbox.due(10)
    machine.set_by(-DAY)
    ledger.inbox.due(10)
    with ledger.engine.connect() as connection:
        times = seen_times(connection)
    assert times.seconds_added == pytest.approx(DAY, abs=3.0)
    assert times.raw == pytest.approx(time.time() - DAY, abs=60.0)


# -- a clock that jumps ahead


def test_jump_ahead_is_followed_by_ten_minutes_at_most(machine: Machine) -> None:
    """A day ahead for an hour; the processes know how much time went by."""
    ledger = machine.start()
    ledger.inbox.due(10)
    before = time_of(ledger)
    machine.set_by(YEAR)
    ledger.inbox.store(a_delivery())
    ledger.inbox.due(10)
    with ledger.engine.connect() as connection:
        assert seen_times(connection).seconds_added == pytest.approx(AHEAD - YEAR, abs=5.0)
    machine.pass_time(3600.0)
    ledger.inbox.due(10)
    machine.set_by(-YEAR)
    ledger.inbox.due(10)
    assert before + 3600.0 <= time_of(ledger) <= before + 3600.0 + AHEAD + 5.0
    assert received(ledger)[0] <= before + AHEAD + 5.0


def test_what_is_put_off_during_a_jump_is_due_in_time(machine: Machine) -> None:
    """Stored, put off and leased before anybody has noticed the jump."""
    ledger = machine.start()
    ledger.inbox.due(10)
    machine.set_by(YEAR)
    inbox_id = ledger.inbox.store(a_delivery()).inbox_id
    ledger.inbox.defer([inbox_id], 30.0, "the remote is down", is_failure=True)
    machine.set_by(-YEAR)
    ledger.inbox.due(10)
    machine.pass_time(AHEAD + 31.0)
    assert ledger.inbox.due(10) == [inbox_id]


def test_process_that_starts_during_a_jump_tells_the_time_of_the_others(machine: Machine) -> None:
    before = machine.start()
    before.inbox.due(10)
    told = time_of(before)
    machine.set_by(YEAR)
    before.inbox.due(10)
    after = machine.start()
    after.inbox.due(10)
    assert time_of(after) <= told + AHEAD + 5.0
    machine.pass_time(60.0)
    assert time_of(after) == pytest.approx(time_of(before), abs=3.0)


def test_time_that_really_went_by_is_no_jump(machine: Machine) -> None:
    ledger = machine.start()
    ledger.inbox.due(10)
    before = time_of(ledger)
    machine.pass_time(2 * DAY)
    assert time_of(ledger) == pytest.approx(before + 2 * DAY, abs=3.0)
    ledger.inbox.due(10)
    assert time_of(ledger) == pytest.approx(before + 2 * DAY, abs=3.0)


def a_year_ahead_while_nothing_else_ran(machine: Machine) -> tuple[SqlLedger, int, int]:
    """No process could tell that the time had not gone by: its time goes on from there.

    Returns the ledger and two deliveries: one ended and one open since before.
    """
    before = machine.start()
    ended, waits = (before.inbox.store(a_delivery(number)).inbox_id for number in (1, 2))
    before.inbox.close(ended, Closing(InboxState.DONE, ""))
    before.inbox.due(10)
    machine.set_by(YEAR)
    ahead = machine.start()
    ahead.inbox.due(10)
    machine.set_by(-YEAR)
    after = machine.start()
    after.inbox.due(10)
    assert time_of(after) > time_of(before) - 1.0
    return after, ended, waits


def test_nothing_is_forgotten_for_a_time_that_was_ahead(machine: Machine) -> None:
    ledger, ended, _ = a_year_ahead_while_nothing_else_ran(machine)
    assert list(LedgerRetention(ledger.engine).prune(Retention())) == []
    assert ledger.inbox.store(a_delivery(1)).is_duplicate
    machine.pass_time(8 * DAY)
    assert list(LedgerRetention(machine.start().engine).prune(Retention())) == [("payloads", 1)]
    assert ended == 1


def test_nothing_is_given_up_for_a_time_that_was_ahead(machine: Machine) -> None:
    """The 48 hours of retries count what went by, not what a clock showed for a while."""
    ledger, _, waits = a_year_ahead_while_nothing_else_ran(machine)
    ledger.inbox.defer([waits], 30.0, "the remote is down", is_failure=True)
    assert state_of(ledger, waits) == "new"
    machine.pass_time(2 * DAY + 60.0)
    ledger = machine.start()
    ledger.inbox.defer([waits], 30.0, "the remote is down", is_failure=True)
    assert state_of(ledger, waits) == "held"


def test_what_came_while_the_time_was_ahead_has_its_retention_too(machine: Machine) -> None:
    """Its times lie a year after what the database shows: they are told by the same clock."""
    ledger, _, _ = a_year_ahead_while_nothing_else_ran(machine)
    young, waits = (ledger.inbox.store(a_delivery(number)).inbox_id for number in (3, 4))
    ledger.inbox.close(young, Closing(InboxState.DONE, ""))
    machine.pass_time(8 * DAY)
    ledger = machine.start()
    assert list(LedgerRetention(ledger.engine).prune(Retention())) == [("payloads", 2)]
    ledger.inbox.defer([waits], 30.0, "the remote is down", is_failure=True)
    assert state_of(ledger, waits) == "held"
