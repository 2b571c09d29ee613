"""What a process keeps of each remote's outages: by account, by host, in bounded memory."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from sync_worker.core.errors import Away
from sync_worker.remotes.http.outage import MAX_SILENT, MAX_SILENT_ACCOUNTS, Outage
from sync_worker.wiring.clients import Clients

HANGS = 8.0


class Hands:
    """The clock of these tests."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


def hang(outage: Outage, clock: Hands, count: int = MAX_SILENT) -> None:
    tickets = [outage.begin() for _ in range(count)]
    clock.now += HANGS
    for ticket in tickets:
        outage.end(ticket, answered=False)


def of(known: Clients, name: str, host: str = "host", label: str = "external:one") -> Outage:
    return known.outage(name, host=host, label=label)


def told(label: str) -> float | None:
    return REGISTRY.get_sample_value("ratings_sync_breaker_open", {"of": label})


def test_accounts_of_one_host_share_what_three_of_them_found_out(clock: Hands) -> None:
    known = Clients(8, clock)
    for number in range(MAX_SILENT_ACCOUNTS):
        hang(of(known, f"account-{number}"), clock, 1)
    with pytest.raises(Away):
        of(known, "well").check()
    of(known, "elsewhere", host="another").check()


def test_gauge_says_open_until_the_last_open_one_answers(clock: Hands) -> None:
    """An account that is new, or that answers, does not hide another one that hangs."""
    known = Clients(8, clock)
    one, two = of(known, "one", "h-1", "external:many"), of(known, "two", "h-2", "external:many")
    hang(one, clock)
    hang(two, clock)
    of(known, "three", "h-3", "external:many")
    clock.now += HANGS
    one.end(one.begin(), answered=True)
    assert told("external:many") == 1
    two.end(two.begin(), answered=True)
    assert told("external:many") == 0


def test_account_that_is_forgotten_is_open_no_more(clock: Hands) -> None:
    known = Clients(8, clock, most_accounts=2)
    hang(of(known, "one", "h-1", "external:few"), clock)
    assert told("external:few") == 1
    for name in ("two", "three"):
        of(known, name, name, "external:few")
    assert told("external:few") == 0


def test_account_that_moves_to_another_host_is_not_shut_for_the_one_before(clock: Hands) -> None:
    """Its owner has given another address, since the one before hung."""
    known = Clients(8, clock)
    hang(of(known, "one", "h-old", "external:moved"), clock)
    assert told("external:moved") == 1
    of(known, "one", "h-new", "external:moved").check()
    assert told("external:moved") == 0
