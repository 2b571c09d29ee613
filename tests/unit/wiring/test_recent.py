"""A bounded memory, and the clients of a process in it."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.wiring import clients as of_clients
from sync_worker.wiring.accounts.recent import Recent
from sync_worker.wiring.clients import Clients


def test_what_was_not_used_for_longest_goes_first() -> None:
    gone: list[int] = []
    memory = Recent[str, int](2, gone.append)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert (gone, len(memory)) == ([2], 2)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)


def test_each_value_that_leaves_is_told_once() -> None:
    gone: list[int] = []
    memory = Recent[str, int](9, gone.append)
    for value in (1, 2):
        memory.put("a", value)
    memory.drop("a")
    memory.drop("a")
    memory.put("b", 3)
    memory.clear()
    assert gone == [1, 2, 3]


class Client:
    """As far as the memory of clients asks of one."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True

    def waiting(self, wait: Any) -> Client:
        return self


def test_clients_are_bounded_and_those_that_go_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that was made for what an account gave before."""
    monkeypatch.setattr(of_clients, "MAX_CLIENTS", 2)
    clients, made = Clients(8), list[Client]()

    def make(*, is_patient: bool) -> Any:
        made.append(Client())
        return made[-1]

    first = clients.of("external:a", None, make, "mark-1")
    assert clients.of("external:a", None, make, "mark-1") is first
    clients.of("external:a", None, make, "mark-2")
    clients.of("external:b", None, make)
    clients.of("external:c", None, make)
    assert [client.is_closed for client in made] == [True, True, False, False]


def test_outage_of_one_account_is_not_anothers() -> None:
    clients = Clients(8)
    one = clients.outage("external:shop/a", "shop.example", "external:shop")
    assert clients.outage("external:shop/a", "shop.example", "external:shop") is one
    assert clients.outage("external:shop/b", "shop.example", "external:shop") is not one
