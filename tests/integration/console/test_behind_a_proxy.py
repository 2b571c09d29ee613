"""Behind a proxy failed logins count for who sent them, if the proxy is trusted; else for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.access.tables import attempt
from sync_worker.services.access.secrets import hash_of
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.test_entrance import log_in

PROXY = "127.0.0.1"  # as which Flask's client asks


@pytest.fixture
def behind(sqlite_url: str) -> Iterator[Ground]:
    with ground_over(sqlite_url, CONSOLE_TRUSTED_PROXIES=f"{PROXY}, 10.0.0.0/8") as made:
        yield made


def counted(ground: Ground, address: str) -> int:
    with ground.parts.transactions.read() as connection:
        is_it = attempt.c.hash == hash_of(f"address {address}")
        return connection.execute(select(attempt.c.count).where(is_it)).scalar() or 0


def fail(ground: Ground, forwarded: str, name: str = "nobody") -> int:
    browser = ground.anonymous()
    browser.client.environ_base["HTTP_X_FORWARDED_FOR"] = forwarded
    return log_in(browser, name=name)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        # What stands before the last one that is not trusted, anybody may have written.
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.2.3.4", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.2.3.4", "10.2.3.4"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, nonsense", PROXY),
        ("", PROXY),
    ],
)
def test_address_of_a_login_is_the_last_one_not_trusted(
    forwarded: str, address: str, behind: Ground
) -> None:
    assert fail(behind, forwarded) == 401
    assert counted(behind, address) == 1


def test_without_trust_nobody_says_who_they_are(ground: Ground) -> None:
    assert fail(ground, "203.0.113.7") == 401
    assert (counted(ground, PROXY), counted(ground, "203.0.113.7")) == (1, 0)


def test_one_who_fails_behind_a_proxy_locks_nobody_else_out(behind: Ground) -> None:
    behind.parts.access.logins.attempts.note([hash_of("address 203.0.113.7")] * 50)
    assert fail(behind, "203.0.113.7", "somebody-else") == 429
    assert fail(behind, "203.0.113.8", "somebody-else") == 401


@pytest.mark.parametrize("named", ["proxy.example", "10.0.0.1/8", "10.0.0.0/8,,", "0.0.0.0/0"])
def test_proxy_that_cannot_be_is_refused_at_the_start(named: str, sqlite_url: str) -> None:
    made = ground_over(sqlite_url, CONSOLE_TRUSTED_PROXIES=named)
    with pytest.raises(Misconfigured, match="CONSOLE_TRUSTED_PROXIES"), made:
        pass
