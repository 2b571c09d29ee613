"""Chaos: real processes and servers, struck while they work. What a test measures goes into the
report of ``python -m tests.chaos``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.end_to_end.conftest import environ, make_stage

__all__ = ["database", "environ", "make_stage", "measured"]

Measured = Callable[[str, object], None]


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """``measured("recovered in s", 12.3)``: a figure for the report."""
    return lambda what, figure: record_property(
        what, round(figure, 3) if isinstance(figure, float) else figure
    )


@pytest.fixture
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that choose the ledger's database; ``on(...)`` says which."""
    return {"DATABASE_URL": request.getfixturevalue(request.param)}


def on(short: str, *, long: tuple[str, ...] = ("sqlite", "postgres")) -> pytest.MarkDecorator:
    """Parametrizes ``database``: one in each run of the tests, the others in the long form."""
    others = [one for one in long if one != short]
    return pytest.mark.parametrize(
        "database",
        [
            pytest.param(f"{short}_url", id=short),
            *(pytest.param(f"{one}_url", id=one, marks=pytest.mark.long) for one in others),
        ],
        indirect=True,
    )
