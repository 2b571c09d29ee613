"""What pages cost on PostgreSQL as a ledger grows: few statements, and each by an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from benchmarks.console_fill import Filling, fill_console
from benchmarks.console_pages import BIG, pages_of_operator, pages_of_owner
from benchmarks.console_plans import Noted, noted_of, noting
from sync_worker.ledger.ratings.search_ways import PRODUCTS
from sync_worker.ledger.tables import link
from sync_worker.services.access.who import Role
from tests.integration.console.ground import ground_over
from tests.lent_databases import LentDatabases

pytestmark = pytest.mark.full

OF = Filling(sites=300, links=60_000, held=6_000)
# Tables that grow with every rating; a site's own rows are looked through where they are few.
LARGE = ("link", "link_value", "inbox", "history", "contact_map")
# Of a name that one in twenty has, 200 people are read in whatever order, and no more.
BOUNDED = {("ratings: a name", "contact_map")}
MAX_STATEMENTS = 35
# Of the pages that take more: a moment in the history is found by halving its numbers, and each of
# the products that a word may mean is looked at by itself.
MORE = {"changed in": 30, "in an hour": 30, "a SKU": PRODUCTS, "a title": PRODUCTS}


@dataclass(frozen=True)
class Asked:
    """``by_page``: the statements that each page takes."""

    engine: Engine
    by_page: Mapping[str, Noted]


@pytest.fixture(scope="module")
def asked(postgres_databases: LentDatabases) -> Iterator[Asked]:
    with ground_over(postgres_databases.fresh()) as ground:
        engine = ground.parts.transactions.engine
        fill_console(engine, OF)
        pages = {name: (path, Role.ADMIN) for name, path in pages_of_operator(OF).items()}
        pages |= {name: (path, Role.OWNER) for name, path in pages_of_owner().items()}
        clients = {role: ground.client(role, BIG).client for role in (Role.ADMIN, Role.OWNER)}
        clients[Role.ADMIN].get("/")  # a process counts the hours that are over once
        by_page = {
            name: noted_of(engine, clients[role], path) for name, (path, role) in pages.items()
        }
        yield Asked(engine, by_page)


def test_pages_take_few_statements_however_much_they_show(asked: Asked) -> None:
    """None for each row, site or thing: what a page takes is known beforehand."""
    taken = {name: len(noted.asked) for name, noted in asked.by_page.items()}
    most = {
        name: MAX_STATEMENTS + sum(more for words, more in MORE.items() if words in name)
        for name in taken
    }
    too_many = {name: number for name, number in taken.items() if number > most[name]}
    assert len(taken) > 100
    assert too_many == {}


def test_no_page_reads_a_large_table_from_end_to_end(asked: Asked) -> None:
    whole = {
        (name, table, one.statement)
        for name, noted in asked.by_page.items()
        for one in noted.looks
        for table in tables_read_whole(one.nodes(asked.engine))
        if (name, table) not in BOUNDED
    }
    assert whole == set(), "\n\n".join(f"{name}, {table}: {sql}" for name, table, sql in whole)


def tables_read_whole(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    scans = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return scans & set(LARGE)


def test_a_table_that_is_read_whole_is_noticed(asked: Asked) -> None:
    with noting(asked.engine) as noted, asked.engine.connect() as connection:
        connection.execute(select(func.count()).select_from(link).where(link.c.fence > 7))
    (one,) = noted.looks
    assert tables_read_whole(one.nodes(asked.engine)) == {"link"}
