"""Prepared statements against both databases: as SQLAlchemy would have run them, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

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
    bindparam,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from sync_worker.core.errors import Transient
from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.database import Transactions, open_engine
from sync_worker.ledger.prepared import Prepared, batch

thing = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False, default="new"),
    Column("told", ExactJSON, nullable=False, default=list),
    Column("is_kept", Boolean, nullable=False, default=False),
    Column("at", Float),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(
        request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    )
    thing.metadata.create_all(engine)
    yield engine
    engine.dispose()


def prepared(engine: Engine, statement: Any) -> Prepared:
    return Prepared(statement, engine.dialect)


def test_insert_fills_in_defaults_of_every_kind_and_values_go_through_their_types(
    engine: Engine,
) -> None:
    new = prepared(engine, insert(thing).values(at=literal(1.5) + 1).returning(*thing.c))
    by_name = prepared(engine, select(thing).where(thing.c.name == bindparam("the_name")))
    with engine.begin() as connection:
        plain = new.first(connection, {"name": "plain"})
        told = {"value": Decimal("4.50"), "of": [True, None]}
        whole = new.first(
            connection, {"name": "whole", "told": told, "is_kept": True, "state": "old"}
        )
    assert (plain.name, plain.state, plain.told, plain.is_kept, plain.at) == (
        "plain",
        "new",
        [],
        False,
        2.5,
    )
    assert (whole.told, whole.is_kept, whole.state) == (told, True, "old")
    assert str(whole.told["value"]) == "4.50"
    with engine.connect() as connection:
        assert by_name.first(connection, {"the_name": "whole"}) == whole
        assert by_name.first(connection, {"the_name": "nobody"}) is None
        assert by_name.scalar(connection, {"the_name": "plain"}) == plain.id
        assert by_name.scalar(connection, {"the_name": "nobody"}) is None
        with engine.connect() as other:
            query = select(thing).where(thing.c.name == "whole")
            assert tuple(other.execute(query).one()) == tuple(whole)


def test_update_sets_the_columns_that_its_values_name(engine: Engine) -> None:
    new = prepared(engine, insert(thing))
    change = prepared(
        engine, update(thing).where(thing.c.name == bindparam("the_name")).values(state="seen")
    )
    with engine.begin() as connection:
        new.run(connection, {"name": "a"})
        assert change.run(connection, {"the_name": "a"}) == 1
        assert change.run(connection, {"the_name": "a", "told": ["x"], "at": None}) == 1
        assert change.run(connection, {"the_name": "b"}) == 0
        assert [
            tuple(row)
            for row in connection.execute(select(thing.c.name, thing.c.state, thing.c.told))
        ] == [("a", "seen", ["x"])]


def test_columns_of_one_name_are_reached_by_their_place(engine: Engine) -> None:
    other = thing.alias()
    pairs = prepared(
        engine, select(thing.c.name, other.c.name).join(other, other.c.id > thing.c.id)
    )
    new = prepared(engine, insert(thing))
    with engine.begin() as connection:
        for name in ("a", "b"):
            new.run(connection, {"name": name})
        assert [tuple(row) for row in pairs.all(connection, {})] == [("a", "b")]


def test_it_is_part_of_the_connection_s_transaction(engine: Engine) -> None:
    new = prepared(engine, insert(thing))
    with engine.begin() as connection:
        new.run(connection, {"name": "a"})
        connection.rollback()
    with engine.connect() as connection:
        assert connection.execute(select(thing.c.id)).all() == []


def test_errors_are_those_of_sqlalchemy_and_show_no_values(engine: Engine) -> None:
    new = prepared(engine, insert(thing))
    nothing = prepared(
        engine, text("SELECT ada FROM nowhere WHERE name = :name").columns(ada=String)
    )
    with engine.begin() as connection:
        new.run(connection, {"name": "ada@example.com"})
    with pytest.raises(IntegrityError) as twice, engine.begin() as connection:
        new.run(connection, {"name": "ada@example.com"})
    with pytest.raises(DBAPIError) as missing, engine.begin() as connection:
        nothing.all(connection, {"name": "ada@example.com"})
    assert twice.value.params is None
    assert "ada@example.com" not in str(missing.value)
    assert isinstance(missing.value, ProgrammingError) == (engine.dialect.name == "postgresql")


def test_answers_of_a_batch_are_read_after_it_in_any_order(engine: Engine) -> None:
    new = prepared(engine, insert(thing).returning(*thing.c))
    change = prepared(engine, update(thing).where(thing.c.name == bindparam("the_name")))
    count = prepared(engine, text("SELECT count(*) AS many FROM thing").columns(many=Integer))
    with engine.begin() as connection:
        with batch(connection):
            asked = [new.ask(connection, {"name": name, "told": [name]}) for name in ("a", "b")]
            changed = [
                change.ask(connection, {"the_name": name, "state": "seen"}) for name in ("a", "c")
            ]
            many = count.ask(connection, {})
        assert many.first().many == 2
        assert [answer.first().told for answer in reversed(asked)] == [["b"], ["a"]]
        assert [answer.count for answer in changed] == [1, 0]
    with engine.connect() as connection:
        names = prepared(engine, select(thing.c.name, thing.c.state).order_by(thing.c.name))
        assert [tuple(row) for row in names.all(connection, {})] == [("a", "seen"), ("b", "new")]


def test_a_batch_outside_of_a_transaction_is_one_of_its_own(engine: Engine) -> None:
    transactions = Transactions(engine)
    new = prepared(engine, insert(thing))

    def work(*names: str) -> None:
        with transactions.single() as connection, batch(connection):
            for name in names:
                new.ask(connection, {"name": name})

    work("a", "b")
    with pytest.raises(IntegrityError):
        work("c", "a", "d")
    with transactions.read() as connection:
        assert sorted(one.name for one in connection.execute(select(thing.c.name))) == ["a", "b"]


def test_answers_that_nobody_reads_do_not_keep_a_transaction_open(engine: Engine) -> None:
    new = prepared(engine, insert(thing).returning(*thing.c))
    many = prepared(engine, select(thing.c.name))
    unread = []
    for name in ("a", "b", "c"):
        with engine.begin() as connection, batch(connection):
            unread += [new.ask(connection, {"name": name}), many.ask(connection, {})]
    with engine.connect() as connection:
        assert len(many.all(connection, {})) == 3


def test_a_batch_that_fails_tells_why_and_leaves_nothing(engine: Engine) -> None:
    new = prepared(engine, insert(thing))

    def work() -> None:
        with engine.begin() as connection, batch(connection):
            for name in ("before", "ada@example.com", "ada@example.com", "after"):
                new.ask(connection, {"name": name})

    with pytest.raises(IntegrityError) as twice:
        work()
    assert twice.value.params is None
    with engine.begin() as connection:
        with batch(connection):
            new.ask(connection, {"name": "ada@example.com"})
        assert [one.name for one in connection.execute(select(thing.c.name))] == ["ada@example.com"]


def test_connection_that_the_server_has_closed_is_replaced(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pool_size=1)
    transactions = Transactions(engine)
    own = Prepared(text("SELECT pg_backend_pid() AS pid").columns(pid=Integer), engine.dialect)
    other = open_engine(postgres_url)
    pids = []

    def work(many: Callable[[Connection], AbstractContextManager[None]]) -> None:
        with transactions.write() as connection:
            pids.append(own.scalar(connection, {}))
            with other.begin() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pids[-1]})
            with many(connection):
                own.ask(connection, {})

    try:
        for many in (batch, lambda connection: nullcontext()):
            with pytest.raises(Transient, match="did not answer"):
                work(many)
        with transactions.read() as connection:
            assert own.scalar(connection, {}) not in (None, *pids)
    finally:
        engine.dispose()
        other.dispose()
