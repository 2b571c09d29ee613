"""SQL texts against both databases: what drivers and SQLAlchemy would have made of them alike, and
SQLAlchemy's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from sync_worker.core.errors import Transient
from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.process_tables import ledger_clock
from sync_worker.ledger.sql_text import BOOLEAN_NAMES, JSON_NAMES, SqlText, batch
from sync_worker.ledger.tables import metadata
from sync_worker.ledger.transactions import Transactions, ledger_now

# `payload` and `privacy` are columns of the ledger: their names tell their types.
thing = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("payload", ExactJSON),
    Column("privacy", Boolean, nullable=False),
    Column("at", Float),
)

NEW = SqlText("""
-- new: a thing
INSERT INTO thing (name, state, payload, privacy, at)
VALUES (:name, 'new', :payload, :privacy, ledger_now())
RETURNING id, name, state, payload, privacy, at
""")
OF_NAME = SqlText("SELECT id, name, state, payload, privacy, at FROM thing WHERE name = :name")
NAMES = SqlText("SELECT name, state FROM thing ORDER BY name")
SEEN = SqlText("UPDATE thing SET state = 'seen' WHERE name = :name::varchar")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    is_sqlite = request.param == "sqlite"
    url = request.getfixturevalue("empty_sqlite_url" if is_sqlite else "empty_postgres_url")
    engine = open_engine(url)
    thing.metadata.create_all(engine)
    ledger_clock.create(engine)
    yield engine
    engine.dispose()


def add(connection: Connection, name: str) -> None:
    NEW.run(connection, name=name, payload=[name], privacy=False)


def names_in(connection: Connection) -> list[str]:
    return [row.name for row in NAMES.all(connection)]


def test_a_column_s_name_tells_its_type_in_every_table() -> None:
    for table in metadata.tables.values():
        for column in table.c:
            assert (column.name in JSON_NAMES) == isinstance(column.type, ExactJSON), column
            assert (column.name in BOOLEAN_NAMES) == isinstance(column.type, Boolean), column


def test_values_come_back_as_sqlalchemy_reads_them(engine: Engine) -> None:
    payload = {"value": Decimal("4.50"), "of": [True, None]}
    with engine.begin() as connection:
        plain = NEW.first(connection, name="plain", payload=None, privacy=False)
        whole = NEW.first(connection, name="whole", payload=payload, privacy=True)
        now = connection.execute(select(ledger_now())).scalar_one()
    assert (plain.name, plain.payload, plain.privacy) == ("plain", None, False)
    assert (whole.payload, whole.privacy, whole.state) == (payload, True, "new")
    assert str(whole.payload["value"]) == "4.50"
    assert plain.privacy is False
    assert abs(now - whole.at) < 30
    with engine.connect() as connection:
        assert OF_NAME.first(connection, name="whole") == whole
        assert OF_NAME.first(connection, name="nobody") is None
        assert OF_NAME.scalar(connection, name="plain") == plain.id
        assert OF_NAME.scalar(connection, name="nobody") is None
        query = select(thing).where(thing.c.name == "whole")
        assert tuple(connection.execute(query).one()) == tuple(whole)


def test_count_is_that_of_the_rows_it_changed(engine: Engine) -> None:
    with engine.begin() as connection:
        add(connection, "a")
        assert SEEN.run(connection, name="a") == 1
        assert SEEN.run(connection, name="b") == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_list_is_one_parameter_of_any_length(engine: Engine, count: int) -> None:
    among = SqlText("SELECT name FROM thing WHERE name = ANY(:names::varchar[]) ORDER BY name")
    wanted = ["a", "b", "it's"][:count]
    with engine.begin() as connection:
        for name in ("a", "b", "c", "it's"):
            add(connection, name)
        assert [row.name for row in among.all(connection, names=wanted)] == wanted


def test_list_that_a_text_uses_twice_is_the_same_list(engine: Engine) -> None:
    either = SqlText("""
    SELECT name FROM thing WHERE name = ANY(:names::varchar[]) OR state = ANY(:names::varchar[])
    ORDER BY name
    """)
    with engine.begin() as connection:
        for name in "ab":
            add(connection, name)
        assert [row.name for row in either.all(connection, names=["a"])] == ["a"]
        assert [row.name for row in either.all(connection, names=["new"])] == ["a", "b"]


def test_columns_of_one_name_are_reached_by_their_place(engine: Engine) -> None:
    pairs = SqlText("SELECT one.name, two.name FROM thing one JOIN thing two ON two.id > one.id")
    with engine.begin() as connection:
        for name in ("a", "b"):
            add(connection, name)
        assert [tuple(row) for row in pairs.all(connection)] == [("a", "b")]


def test_it_is_part_of_the_connection_s_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        add(connection, "a")
        connection.rollback()
    with engine.connect() as connection:
        assert names_in(connection) == []


def test_errors_are_those_of_sqlalchemy_and_show_no_values(engine: Engine) -> None:
    nothing = SqlText("SELECT ada FROM nowhere WHERE name = :name")
    with engine.begin() as connection:
        add(connection, "ada@example.com")
    with pytest.raises(IntegrityError) as twice, engine.begin() as connection:
        add(connection, "ada@example.com")
    with pytest.raises(DBAPIError) as missing, engine.begin() as connection:
        nothing.all(connection, name="ada@example.com")
    assert twice.value.params is None
    assert "ada@example.com" not in str(missing.value)
    assert isinstance(missing.value, ProgrammingError) == (engine.dialect.name == "postgresql")


def test_answers_of_a_batch_are_read_after_it_in_any_order(engine: Engine) -> None:
    count = SqlText("SELECT count(*) AS many FROM thing")
    with engine.begin() as connection:
        with batch(connection):
            asked = [
                NEW.ask(connection, name=name, payload=[name], privacy=False) for name in ("a", "b")
            ]
            changed = [SEEN.ask(connection, name=name) for name in ("a", "c")]
            many = count.ask(connection)
        assert many.first().many == 2
        assert [answer.first().payload for answer in reversed(asked)] == [["b"], ["a"]]
        assert [answer.count for answer in changed] == [1, 0]
    with engine.connect() as connection:
        assert [tuple(row) for row in NAMES.all(connection)] == [("a", "seen"), ("b", "new")]


def test_a_batch_outside_of_a_transaction_is_one_of_its_own(engine: Engine) -> None:
    transactions = Transactions(engine)

    def work(*names: str) -> None:
        with transactions.single() as connection, batch(connection):
            for name in names:
                add_in_batch(connection, name)

    work("a", "b")
    with pytest.raises(IntegrityError):
        work("c", "a", "d")
    with transactions.read() as connection:
        assert names_in(connection) == ["a", "b"]


def add_in_batch(connection: Connection, name: str) -> None:
    """Its answer is nobody's."""
    NEW.ask(connection, name=name, payload=[name], privacy=False)


def test_answers_that_nobody_reads_do_not_keep_a_transaction_open(engine: Engine) -> None:
    unread = []
    for name in ("a", "b", "c"):
        with engine.begin() as connection, batch(connection):
            unread.append(NEW.ask(connection, name=name, payload=[name], privacy=False))
            unread.append(NAMES.ask(connection))
    with engine.connect() as connection:
        assert len(NAMES.all(connection)) == 3


def test_a_batch_that_fails_tells_why_and_leaves_nothing(engine: Engine) -> None:
    def work() -> None:
        with engine.begin() as connection, batch(connection):
            for name in ("before", "ada@example.com", "ada@example.com", "after"):
                add_in_batch(connection, name)

    with pytest.raises(IntegrityError) as twice:
        work()
    assert twice.value.params is None
    with engine.begin() as connection:
        with batch(connection):
            add_in_batch(connection, "ada@example.com")
        assert names_in(connection) == ["ada@example.com"]


def test_connection_that_the_server_has_closed_is_replaced(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pool_size=1)
    transactions = Transactions(engine)
    own = SqlText("SELECT pg_backend_pid() AS pid")
    other = open_engine(postgres_url)
    pids = []

    def work(many: Callable[[Connection], AbstractContextManager[None]]) -> None:
        with transactions.write() as connection:
            pids.append(own.scalar(connection))
            with other.begin() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pids[-1]})
            with many(connection):
                own.ask(connection)

    try:
        for many in (batch, lambda connection: nullcontext()):
            with pytest.raises(Transient, match="did not answer"):
                work(many)
        with transactions.read() as connection:
            assert own.scalar(connection) not in (None, *pids)
    finally:
        engine.dispose()
        other.dispose()
