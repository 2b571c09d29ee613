"""What one process knows of accounts: news within a second, bounded memory, nothing for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync_worker.config import load_settings
from sync_worker.core.errors import Held, Misconfigured, Transient
from sync_worker.core.values import AccountAddress, AccountState
from sync_worker.ledger.accounts.sealing import Opener, Sealer, new_key, public_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.wiring.accounts import book as of_book
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.accounts.recent import Recent
from sync_worker.wiring.connectors import Connectors
from tests.unit.manifest.test_settings import SMALL, written
from tests.unit.wiring.accounts_in_memory import AccountsInMemory

KEY, OTHER_KEY = new_key(), new_key()
ONE, TWO, NEVER = "a" * 26, "b" * 26, "c" * 26
SETTINGS = {"base_url": "https://one.example.org", "region": "eu"}
TODAY = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass
class Process:
    """One process with its book, and a clock that tests turn."""

    accounts: AccountsInMemory
    connectors: Connectors
    opener: Callable[[], Opener] = lambda: Opener([KEY])
    at: float = 0.0
    book: AccountBook = field(init=False)

    def __post_init__(self) -> None:
        self.book = AccountBook(
            lambda: self.accounts,
            self.connectors,
            lambda: self.opener(),
            now=lambda: TODAY + timedelta(seconds=self.at),
            clock=lambda: self.at,
        )

    def secrets_at(self, address: str) -> list[str] | None:
        """The secrets that open the door at an address; ``None``: nobody is there."""
        manifest = self.book.manifest_at("small-shop", address)
        return None if manifest is None else secrets_of(manifest)


def secrets_of(manifest: Manifest) -> list[str]:
    assert manifest.webhook is not None
    return list(manifest.webhook.verify[0].secrets)


@pytest.fixture
def connectors(tmp_path: Path) -> Connectors:
    file = written(tmp_path, SMALL)
    environ = {"CONNECTORS": f"{file},okendo", "SECRETS_KEY": KEY}
    return Connectors(load_settings(environ), environ)


@pytest.fixture
def accounts() -> AccountsInMemory:
    found = AccountsInMemory(Sealer(public_of(KEY)))
    found.add(ONE, "small-shop", SETTINGS, token="t-one", hook_secret="s-one")
    found.add(TWO, "small-shop", SETTINGS, token="t-two", hook_secret="s-two")
    return found


@pytest.fixture
def process(accounts: AccountsInMemory, connectors: Connectors) -> Process:
    return Process(accounts, connectors)


def test_address_of_an_account_that_is_known_costs_no_question(process: Process) -> None:
    process.accounts.add(ONE, "small-shop", SETTINGS, token="t", hook_secret="s-one")
    process.book.of_source(f"small-shop/{ONE}")
    process.accounts.asked.clear()
    assert process.secrets_at(ONE) == ["s-one"]
    assert process.accounts.asked == []


def test_each_address_leads_to_its_own_account(process: Process) -> None:
    assert (process.secrets_at(ONE), process.secrets_at(TWO)) == (["s-one"], ["s-two"])


def test_ledger_is_looked_at_once_a_second_however_many_ask(process: Process) -> None:
    for _ in range(50):
        process.secrets_at(ONE)
    assert process.accounts.asked.count("counter") == 1
    assert process.accounts.asked.count("by_address") == 1
    process.at += 1.0
    process.secrets_at(ONE)
    assert process.accounts.asked.count("counter") == 2
    assert process.accounts.asked.count("by_address") == 1


def test_address_that_was_never_given_is_asked_for_once(process: Process) -> None:
    assert process.secrets_at(NEVER) is None
    assert process.secrets_at(NEVER) is None
    assert process.accounts.asked.count("by_address") == 1


@pytest.mark.parametrize("address", ["", "short", "A" * 26, "a" * 27, "1" * 26, "a" * 25 + "/"])
def test_what_no_account_can_have_as_address_costs_no_question(
    process: Process, address: str
) -> None:
    assert process.secrets_at(address) is None
    assert process.accounts.asked == []


def test_address_under_another_connector_leads_nowhere(process: Process) -> None:
    assert process.book.manifest_at("okendo", ONE) is None
    assert process.book.manifest_at("nowhere", ONE) is None


def test_account_that_is_added_is_there_at_once(process: Process) -> None:
    assert process.secrets_at(ONE)
    process.accounts.add(NEVER, "small-shop", SETTINGS, token="t-3", hook_secret="s-3")
    assert process.secrets_at(NEVER) == ["s-3"]


def test_revoked_account_opens_nothing_after_a_second(process: Process) -> None:
    """Neither its secret nor the one before, at the door and for calls."""
    process.accounts.give_secret(ONE, "hook_secret", "s-new", TODAY + timedelta(days=1))
    assert process.secrets_at(ONE) == ["s-new", "s-one"]
    live = process.book.of_source(f"small-shop/{ONE}")
    process.accounts.revoke(ONE)
    process.at += 1.0
    assert process.secrets_at(ONE) is None
    assert not process.book.is_current(live)
    with pytest.raises(Held, match="is at an end") as held:
        process.book.of_source(f"small-shop/{ONE}")
    assert held.value.reason == "account_revoked"
    assert process.secrets_at(TWO) == ["s-two"]


def test_secret_before_counts_until_its_date(process: Process) -> None:
    assert process.secrets_at(ONE) == ["s-one"]
    process.accounts.give_secret(ONE, "hook_secret", "s-new", TODAY + timedelta(seconds=60))
    process.at += 1.0
    assert process.secrets_at(ONE) == ["s-new", "s-one"]
    process.at = 59.0
    assert process.secrets_at(ONE) == ["s-new", "s-one"]
    process.at = 60.0
    assert process.secrets_at(ONE) == ["s-new"]


def test_address_that_was_replaced_leads_on_until_its_date(process: Process) -> None:
    assert process.secrets_at(ONE)
    until = TODAY + timedelta(seconds=60)
    both = (AccountAddress(NEVER), AccountAddress(ONE, until))
    process.accounts.change(ONE, addresses=both)
    process.at += 1.0
    assert process.secrets_at(ONE) == process.secrets_at(NEVER) == ["s-one"]
    assert process.book.of_source(f"small-shop/{ONE}").address == NEVER
    process.at = 60.0
    assert process.secrets_at(ONE) is None
    assert process.secrets_at(NEVER) == ["s-one"]


def test_calls_in_hand_stop_when_what_was_given_changes(process: Process) -> None:
    live = process.book.of_source(f"small-shop/{ONE}")
    process.accounts.change(ONE, state=AccountState.PAUSED)
    process.at += 1.0
    assert process.book.is_current(live)
    process.accounts.change(ONE, settings=SETTINGS | {"base_url": "https://two.example.org"})
    process.at += 1.0
    assert not process.book.is_current(live)
    again = process.book.of_source(f"small-shop/{ONE}")
    assert again.manifest.base_url == "https://two.example.org"


def test_without_the_ledger_the_door_lets_nobody_in_and_work_goes_on(process: Process) -> None:
    """Who may have been revoked meanwhile is asked to come again; what is known is worked with."""
    assert process.secrets_at(ONE)
    live = process.book.of_source(f"small-shop/{ONE}")
    process.accounts.is_away = True
    process.at += 1.0
    with pytest.raises(Transient):
        process.secrets_at(ONE)
    assert process.book.of_source(f"small-shop/{ONE}") is live
    assert process.book.is_current(live)
    process.accounts.is_away = False
    process.at += 1.0
    assert process.secrets_at(ONE) == ["s-one"]


@pytest.mark.parametrize("kind", ["other key", "no key", "damaged"])
def test_secret_that_does_not_open_shuts_its_account_alone(process: Process, kind: str) -> None:
    """It is held, until the account changes or a process has the right key."""
    if kind == "damaged":
        secrets = process.accounts.secrets[process.accounts.rows[ONE].id]
        secrets["token"] = process.accounts.secrets[process.accounts.rows[TWO].id]["token"]
        assert process.secrets_at(TWO) == ["s-two"]
    else:
        process.opener = lambda: opener_of(kind)
    for _ in range(3):
        with pytest.raises(Held) as held:
            process.book.of_source(f"small-shop/{ONE}")
        assert held.value.reason == "account_locked"
        assert "t-two" not in str(held.value)
    assert process.accounts.asked.count("sealed_of") <= 2
    process.opener = lambda: Opener([KEY])
    process.accounts.give_secret(ONE, "token", "t-new")
    process.at += 1.0
    assert process.secrets_at(ONE) == ["s-one"]


def opener_of(kind: str) -> Opener:
    if kind == "no key":
        raise Misconfigured("SECRETS_KEY is not set")
    return Opener([OTHER_KEY])


def test_value_that_does_not_fit_is_said_without_it(process: Process) -> None:
    process.accounts.add(NEVER, "small-shop", SETTINGS | {"region": "asia"}, token="t-3")
    with pytest.raises(Misconfigured, match=r"region \(Region\) is one of eu, us") as wrong:
        process.book.of_source(f"small-shop/{NEVER}")
    assert "asia" not in str(wrong.value)


def test_change_that_comes_while_an_account_is_read_is_not_lost(process: Process) -> None:
    """What was read before the change is not kept beyond it."""
    assert process.secrets_at(TWO)
    accounts, sealed_of = process.accounts, process.accounts.sealed_of

    def slow(account_id: int) -> object:
        found = sealed_of(account_id)
        accounts.sealed_of = sealed_of  # type: ignore[method-assign]  # one slow answer
        accounts.give_secret(ONE, "hook_secret", "s-new")
        process.at += 1.0
        # Another thread looks meanwhile.
        process.secrets_at(TWO)
        return found

    accounts.sealed_of = slow  # type: ignore[method-assign, assignment]  # one slow answer
    process.secrets_at(ONE)
    assert process.secrets_at(ONE) == ["s-new"]


def test_account_that_is_revoked_while_it_is_being_kept_stays_shut(process: Process) -> None:
    """A thread is put aside just before it keeps what it read; another one looks meanwhile."""
    assert process.secrets_at(TWO)
    between(process, process.book._known, lambda: process.accounts.revoke(ONE))
    process.book.of_source(f"small-shop/{ONE}")
    process.at += 3600.0
    with pytest.raises(Held):
        process.book.of_source(f"small-shop/{ONE}")
    assert process.secrets_at(ONE) is None


def test_address_that_is_given_while_it_is_kept_as_unknown_is_found(process: Process) -> None:
    assert process.secrets_at(TWO)
    accounts = process.accounts
    between(
        process,
        process.book._nowhere,
        lambda: accounts.add(NEVER, "small-shop", SETTINGS, token="t-3", hook_secret="s-3"),
    )
    assert process.secrets_at(NEVER) is None
    process.at += 3600.0
    assert process.secrets_at(NEVER) == ["s-3"]


def between(process: Process, memory: Recent[Any, Any], change: Callable[[], object]) -> None:
    """The next ``put`` comes late: a change, and another thread's look at it, come before it."""
    put = memory.put

    def late(key: object, value: object) -> None:
        memory.put = put  # type: ignore[method-assign]  # one late put
        change()
        process.at += 1.0
        other = threading.Thread(target=process.book.look)
        other.start()
        # It either forgets at once, or waits until this one has kept what it read.
        other.join(0.2)
        put(key, value)

    memory.put = late  # type: ignore[method-assign]  # one late put


def test_guesses_of_strangers_leave_connections_to_those_who_commit(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many guess at once, two ask the ledger; who is known meanwhile waits for nobody."""
    monkeypatch.setattr(of_book, "ASK_SECONDS", 0.05)
    assert process.secrets_at(ONE)
    answer, began = threading.Event(), threading.Semaphore(0)

    def slow(address: str) -> None:
        began.release()
        answer.wait(5.0)

    process.accounts.by_address = slow  # type: ignore[method-assign]  # slow answers
    guesses = ["d" * 26, "e" * 26]
    with ThreadPoolExecutor(2) as strangers:
        asked = strangers.map(process.secrets_at, guesses)
        for _ in guesses:
            assert began.acquire(timeout=5.0)
        with pytest.raises(Transient, match="addresses"):
            process.secrets_at(NEVER)
        assert process.secrets_at(ONE) == ["s-one"]
        answer.set()
        assert list(asked) == [None, None]
    assert process.secrets_at(NEVER) is None


def test_many_changes_at_once_are_all_taken_up(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_book, "MAX_CHANGES", 1)
    assert (process.secrets_at(ONE), process.secrets_at(TWO)) == (["s-one"], ["s-two"])
    for public_id in (ONE, TWO):
        process.accounts.give_secret(public_id, "hook_secret", "s-new")
    process.at += 1.0
    assert process.secrets_at(ONE) == process.secrets_at(TWO) == ["s-new"]


def test_ledger_that_was_put_back_to_an_earlier_day_is_read_anew(process: Process) -> None:
    process.accounts.give_secret(ONE, "hook_secret", "s-new")
    assert process.secrets_at(ONE) == ["s-new"]
    earlier = process.accounts.sealed(ONE, "hook_secret", "s-earlier")
    secrets = process.accounts.secrets[process.accounts.rows[ONE].id]
    secrets["hook_secret"] = type(secrets["hook_secret"])(earlier)
    process.accounts.number -= 1
    process.at += 1.0
    assert process.secrets_at(ONE) == ["s-earlier"]


def test_news_by_another_way_are_looked_at_with_the_next_request(process: Process) -> None:
    assert process.secrets_at(ONE)
    process.accounts.revoke(ONE)
    process.book.look_again()
    assert process.secrets_at(ONE) is None


def test_memory_is_bounded_and_what_was_forgotten_is_read_again(
    accounts: AccountsInMemory, connectors: Connectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_book, "MAX_ACCOUNTS", 1)
    process = Process(accounts, connectors)
    assert process.secrets_at(ONE) == ["s-one"]
    assert process.secrets_at(TWO) == ["s-two"]
    live = process.book.of_source(f"small-shop/{ONE}")
    assert process.accounts.asked.count("sealed_of") == 3
    process.secrets_at(TWO)
    assert process.book.is_current(live)
