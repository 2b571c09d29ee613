"""SQL statements compiled once in a test process, for all engines of one kind.

SQLAlchemy compiles a statement once for each engine. A process has one engine for its whole life,
and hundreds of tests have one each: a third of their time went into the same texts again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event


class CompiledOnce(dict[Any, Any]):
    """A cache of compiled statements, as the execution option ``compiled_cache`` takes it.

    A key begins with the dialect of its engine; here it is the dialect's name.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_for_all_engines(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_for_all_engines(key), compiled)


def _for_all_engines(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, dialect.driver, *rest)


def compile_once() -> None:
    """From now on, in this process."""
    shared = CompiledOnce()

    @event.listens_for(Engine, "engine_connect")
    def _share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=shared)
