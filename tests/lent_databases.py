"""Databases of PostgreSQL that tests have one after the other.

To make one costs more than most tests do: one that comes back with its tables and settings as they
were is emptied and lent again; any other one is left alone.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from tests.ledgers import create_database, url_of

# Whoever changes a table or an index leaves a row of a catalogue with another xmin. Rows that were
# counted (ANALYZE) and more pages would lead a later test to other plans.
SHAPE = """
SELECT string_agg(line, ', ' ORDER BY line) FROM (
  SELECT 'table ' || oid || '/' || xmin || '/' || reltuples AS line
    FROM pg_class WHERE oid >= 16384
  UNION ALL SELECT 'column ' || attrelid || '/' || max(xmin::text) || '/' || count(*)
    FROM pg_attribute WHERE attrelid >= 16384 GROUP BY attrelid
  UNION ALL SELECT 'index ' || indexrelid || '/' || xmin FROM pg_index WHERE indexrelid >= 16384
  UNION ALL SELECT 'constraint ' || oid || '/' || xmin FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT 'trigger ' || oid || '/' || xmin FROM pg_trigger WHERE oid >= 16384
  UNION ALL SELECT 'function ' || oid || '/' || xmin FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT 'setting ' || setdatabase || '/' || setrole || '/' || setconfig::text
    FROM pg_db_role_setting
  UNION ALL SELECT 'megabytes ' || pg_database_size(current_database()) / 4194304
) AS shape
"""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_numbers = itertools.count(1)


def new_name() -> str:
    return f"test_{os.getpid()}_{next(_numbers)}"


class LentDatabases:
    """Copies of the database ``template`` on the server at ``server``."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._shapes: dict[str, str] = {}
        self._free: list[str] = []
        with _connected(url_of(server, template)) as connection:
            self._emptying = _emptying(connection)

    def fresh(self) -> str:
        """The URL of one that nobody has had and nobody else gets."""
        return create_database(self._server, new_name(), self._template)

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of one with nothing in it but what the template has."""
        url = self._free.pop() if self._free else self._made()
        yield url
        try:
            with _connected(url) as connection:
                connection.execute(END_SESSIONS)
                if _asked(connection, SHAPE) == self._shapes[url]:
                    connection.execute(self._emptying)
                    self._free.append(url)
        except psycopg.Error:
            return  # a test may have closed it to everybody

    def _made(self) -> str:
        url = self.fresh()
        with _connected(url) as connection:
            self._shapes[url] = _asked(connection, SHAPE)
        return url


def _connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.replace("+psycopg", ""))


def _asked(connection: psycopg.Connection[Any], query: str) -> str:
    found = connection.execute(query).fetchone()
    assert found is not None
    return str(found[0])


def _emptying(connection: psycopg.Connection[Any]) -> sql.Composed:
    """What leaves the rows of this database in one like it, and numbers that count anew."""
    steps: list[sql.Composable] = [sql.SQL("SET session_replication_role = replica")]  # any order
    for (table,) in connection.execute(TABLES).fetchall():
        name = sql.Identifier(table)
        steps.append(sql.SQL("DELETE FROM {}").format(name))
        for row in connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall():
            values = sql.SQL(", ").join(map(sql.Literal, row))
            steps.append(sql.SQL("INSERT INTO {} VALUES ({})").format(name, values))
    steps.append(sql.SQL("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"))
    return sql.SQL("; ").join(steps)
