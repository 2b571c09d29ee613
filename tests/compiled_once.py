"""SQL statements and templates compiled once in a test process, for all engines and apps; and the
tests themselves once for all processes.

SQLAlchemy compiles a statement once for each engine, and Jinja a template once for each app. A
process has one of each for its whole life, and hundreds of tests have one each: a third of their
time went into the same texts again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Connection, Engine, event


class CompiledOnce(dict[Any, Any]):
    """A cache of compiled statements, as the execution option ``compiled_cache`` takes it.

    A key begins with the dialect of its engine; here it is the dialect's name.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_for_all_engines(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_for_all_engines(key), compiled)


class TemplatesOnce(BytecodeCache):
    """Compiled templates by their names and files; a changed text is compiled anew."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (compiled := self._compiled.get(bucket.key)) is not None:
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def _for_all_engines(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, dialect.driver, *rest)


def compile_once() -> None:
    """From now on, in this process."""
    shared = CompiledOnce()

    @event.listens_for(Engine, "engine_connect")
    def _share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=shared)

    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": TemplatesOnce()}


def import_in_turns(config: pytest.Config) -> None:
    """In a worker of xdist: import what is to be collected, from another place on than the others.

    After a checkout pytest writes each test anew with its assertions, which takes twice as long as
    to collect it. Side by side, each worker would do so with each file; in turns it finds three of
    four done by another one.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return
    files = list(_files_of(config))
    first = int(worker[2:]) * len(files) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for file in files[first:] + files[:first]:
        module = ".".join(file.relative_to(config.rootpath).with_suffix("").parts)
        with suppress(Exception, pytest.skip.Exception):  # pytest meets it, too, and reports it
            import_module(module)


def _files_of(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        place = config.invocation_params.dir / argument.partition("::")[0]
        yield from sorted(place.rglob("test_*.py")) if place.is_dir() else [place]
