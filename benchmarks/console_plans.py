"""What the database does for a page: how many statements, and the plan of the slowest of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, event


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement with its values, and the milliseconds until its first rows."""

    statement: str
    values: Any
    milliseconds: float

    def plan(self, engine: Engine) -> list[str]:
        """As PostgreSQL carries it out, line by line."""
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            told = driver.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {self.statement}", self.values)
            return [str(row[0]) for row in told.fetchall()]

    def nodes(self, engine: Engine) -> list[dict[str, Any]]:
        """The parts of its plan; it is not carried out."""
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            told = driver.execute(f"EXPLAIN (FORMAT JSON) {self.statement}", self.values)
            return list(_nodes(told.fetchone()[0][0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@dataclass(slots=True)
class Noted:
    """The statements of one page."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def looks(self) -> list[Asked]:
        """Those that only read, the slowest first."""
        found = [one for one in self.asked if one.statement.lstrip().startswith(("SELECT", "WITH"))]
        return sorted(found, key=lambda one: -one.milliseconds)


@contextmanager
def noting(engine: Engine) -> Iterator[Noted]:
    """All statements that the engine sends meanwhile."""
    noted, begun = Noted(), [0.0]

    def before(*_: Any) -> None:
        begun[0] = time.perf_counter()

    def after(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        taken = (time.perf_counter() - begun[0]) * 1000
        noted.asked.append(Asked(statement, values, taken))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield noted
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def noted_of(engine: Engine, client: FlaskClient, path: str) -> Noted:
    """What one page asks. Raises RuntimeError if it is not shown."""
    with noting(engine) as noted:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} was answered {answer.status_code}")
    return noted
