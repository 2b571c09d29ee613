"""Takes a condition out of the ledger's SQL, on the test's side only: production code has no
switch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from sync_worker.ledger.sql_text import Answer, SqlText


@contextmanager
def condition_out(text: str, condition: str, instead: str = "") -> Iterator[None]:
    """In here the text of this name (that of its first line) is run without a part of it.

    ``condition``: as it stands in the source; ``instead``: what stands there meanwhile. Raises
    LookupError where it does not stand there, or the text was never run.
    """
    ask, run = SqlText.ask, list[str]()

    def without(self: SqlText, connection: Connection, **values: Any) -> Answer:
        whole = self.sql_for(connection)
        if f"-- {text}:" not in whole:
            return ask(self, connection, **values)
        part, other = (SqlText(one).sql_for(connection) for one in (condition, instead))
        if part not in whole:
            raise LookupError(f"{part!r} does not stand in {whole}")
        run.append(whole)
        dialect = connection.dialect.name
        altered = copy.copy(self)
        statement = copy.copy(self._by_dialect[dialect])
        statement.sql = whole.replace(part, other)
        altered._by_dialect = {dialect: statement}
        return ask(altered, connection, **values)

    SqlText.ask = without  # type: ignore[method-assign]  # the off switch of a test
    try:
        yield
    finally:
        SqlText.ask = ask  # type: ignore[method-assign]  # as above
    if not run:
        raise LookupError(f"{text} was not run")
