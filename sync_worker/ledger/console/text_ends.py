"""Texts that end so, which the two databases find in different ways."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class ends_with(FunctionElement[bool]):  # noqa: N801 - it stands in SQL as a function does
    """Whether a text ends so: on PostgreSQL by an index over the texts read backwards."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, end: str) -> None:
        super().__init__(column, literal(end), literal(f"{escaped(end[::-1])}%"))


@compiles(ends_with, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **more: Any) -> str:
    """SQLite cannot reverse a text; a ledger there is small enough to be looked through."""
    column, end, _ = element.clauses
    return str(compiler.process(func.substr(column, -func.length(end)) == end, **more))


@compiles(ends_with, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    column, _, pattern = element.clauses
    return str(compiler.process(func.reverse(column).like(pattern, escape="\\"), **more))


def escaped(word: str) -> str:
    """Without the signs that LIKE reads as patterns."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
