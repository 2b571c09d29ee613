"""The console over a real ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.console.ground import Ground, ground_over


@pytest.fixture
def ground(sqlite_url: str) -> Iterator[Ground]:
    """Over an empty ledger in SQLite: ``ground.client(Role.SUPPORT).get("/")``."""
    with ground_over(sqlite_url) as made:
        yield made


@pytest.fixture
def ground_on_postgresql(postgres_url: str) -> Iterator[Ground]:
    """The same over PostgreSQL."""
    with ground_over(postgres_url) as made:
        yield made
