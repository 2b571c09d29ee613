"""The API when something breaks: a kill in the middle of an action, Redis away, many processes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import update

from sync_worker.ledger.access.forms import LEASE_SECONDS, SqlForms
from sync_worker.ledger.access.tables import sent_form
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.services.access.forms import Forms, OutcomeUnknown, UnderWay
from sync_worker.services.access.sessions import Session
from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import program

pytestmark = pytest.mark.full

KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def two(sqlite_url: str, redis_server: EmbeddedRedis, redis: Redis) -> Iterator[list[Ground]]:
    """Two processes of the console over one ledger and one Redis; three requests a minute."""
    redis.flushall()
    environ = {"REDIS_URL": redis_server.url, "REDIS_CACHE_URL": redis_server.url}
    environ |= {"CONSOLE_API_PER_MINUTE": "3"}
    with ground_over(sqlite_url, **environ) as one, ground_over(sqlite_url, **environ) as other:
        yield [one, other]


def time_goes_by(ground: Ground, seconds: float) -> None:
    with ground.parts.transactions.write() as connection:
        connection.execute(update(sent_form).values(sent_at=sent_form.c.sent_at - seconds))


def test_key_of_a_killed_action_is_said_and_may_then_be_used_again(ground: Ground) -> None:
    """For a while it may be under way; then its outcome is unknown; then it is tried anew."""
    shop = HeldShop(ground.admin)
    number, asker = shop.hold("unknown_contact"), program(ground)
    body = {"numbers": [number], "why": "w"}
    original = asker.post("/held/release", body, headers=KEY)
    assert original.json["released"] == [number]
    with ground.parts.transactions.write() as connection:
        connection.execute(update(sent_form).values(result=None))
    assert asker.post("/held/release", body, headers=KEY).status_code == 409
    time_goes_by(ground, LEASE_SECONDS + 1)
    unknown = asker.post("/held/release", body, headers=KEY)
    assert (unknown.status_code, unknown.json["code"]) == (409, "outcome_unknown")
    anew = asker.post("/held/release", body, headers=KEY)
    assert (anew.status_code, anew.json["released"]) == (200, [])
    assert asker.post("/held/release", body, headers=KEY).json == anew.json


def test_action_that_takes_longer_than_a_lease_is_not_done_twice(ground: Ground) -> None:
    """While it is being done its claim is renewed; its end is what a retry is told."""
    store = SqlForms(ground.parts.transactions, lease_seconds=3.0)
    forms, ends_at = Forms(store, renew_seconds=0.1), time.monotonic() + 5.0

    def takes_long() -> str:
        while time.monotonic() < ends_at:
            with pytest.raises(UnderWay):
                forms.once_by_key("k", "s", "asked", lambda: "twice")
            time.sleep(0.2)
        return "first"

    assert forms.once_by_key("k", "s", "asked", takes_long) == "first"
    assert forms.once_by_key("k", "s", "asked", lambda: "second") == "first"


def test_late_end_of_who_lost_the_claim_changes_nothing(ground: Ground) -> None:
    """A process that hung longer than its lease neither ends nor answers the second try."""
    forms = ground.parts.access.forms

    def hangs() -> str:
        time_goes_by(ground, LEASE_SECONDS + 1)
        with pytest.raises(OutcomeUnknown):
            forms.once_by_key("k", "s", "asked", lambda: "never")
        assert forms.once_by_key("k", "s", "asked", lambda: "second") == "second"
        return "first"

    assert forms.once_by_key("k", "s", "asked", hangs) == "first"
    assert forms.once_by_key("k", "s", "asked", lambda: "third") == "second"


def test_late_failure_of_who_lost_the_claim_frees_nothing(ground: Ground) -> None:
    forms = ground.parts.access.forms

    def hangs() -> str:
        time_goes_by(ground, LEASE_SECONDS + 1)
        with pytest.raises(OutcomeUnknown):
            forms.once_by_key("k", "s", "asked", lambda: "never")
        assert forms.once_by_key("k", "s", "asked", lambda: "second") == "second"
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        forms.once_by_key("k", "s", "asked", hangs)
    assert forms.once_by_key("k", "s", "asked", lambda: "third") == "second"


def test_form_of_a_page_whose_process_was_killed_is_said_too(ground: Ground) -> None:
    forms = ground.parts.access.forms
    session = ground.parts.access.sessions.find(ground.cookie(Role.ADMIN)[1])
    assert isinstance(session, Session)
    forms.once("token", session, lambda: "done")
    with ground.parts.transactions.write() as connection:
        connection.execute(update(sent_form).values(result=None))
    with pytest.raises(UnderWay):
        forms.once("token", session, lambda: "twice")
    time_goes_by(ground, LEASE_SECONDS + 1)
    with pytest.raises(OutcomeUnknown):
        forms.once("token", session, lambda: "twice")
    assert forms.once("token", session, lambda: "anew") == "anew"


def test_limit_counts_for_all_processes_of_the_console(two: list[Ground]) -> None:
    one, other = two
    asker = program(one)
    at_the_other = type(asker)(other.anonymous(use_cookies=False), asker.secret)
    statuses = [each.get("/sites").status_code for each in (asker, at_the_other) * 2]
    assert statuses == [200, 200, 200, 429]
    assert 1 <= int(at_the_other.get("/sites").headers["Retry-After"]) <= 20
    # Another token has its own.
    assert program(other).get("/sites").status_code == 200


def test_limit_goes_on_by_process_while_redis_is_away(sqlite_url: str) -> None:
    """Nobody waits for Redis, nobody is let in without bound, nobody gets an error."""
    environ = {"REDIS_URL": "redis://127.0.0.1:1/0", "CONSOLE_API_PER_MINUTE": "3"}
    with ground_over(sqlite_url, **environ) as ground:
        asker = program(ground)
        assert [asker.get("/sites").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_what_redis_keeps_of_a_limit_is_no_secret_and_ends(two: list[Ground], redis: Redis) -> None:
    asker = program(two[0])
    assert asker.get("/sites").status_code == 200
    (key,) = redis.keys("*console-limit:*")
    assert asker.secret.encode() not in key
    assert 0 < redis.ttl(key) <= 120
