"""P9, P10, P11, P19: the remotes hang, fail, refuse and echo; no change is lost, doubled or held up
by another.
"""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal

import pytest
from flask import Response

from sync_sandbox.server import SandboxOptions
from sync_sandbox.stage import Stage
from sync_worker.config import load_settings
from tests.chaos.conftest import Measured, on
from tests.chaos.load import PRODUCTS, Load
from tests.chaos.strikes import wipe
from tests.end_to_end.conftest import QUICK, StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(900)]

FAULTS = (
    "request_lost",
    "response_lost",
    "gateway_timeout",
    "unavailable",
    "limited",
    "limited_silently",
    "drip",
)
WRITES = (
    "POST /v1/ratings",
    "PATCH /ratings/v1",
    "DELETE /ratings/v1",
    "POST /ratings/v1",
    "PATCH /v1/ratings",
)


@pytest.mark.parametrize("count", [16, pytest.param(400, marks=pytest.mark.long)])
@on(short="sqlite")
def test_remotes_that_fail_in_every_way_lose_and_double_no_rating(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    """Each fourth call meets one of seven faults, on both sides."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    load = Load(stage, per_second=20)
    for side in (stage.box.wix, stage.box.reviews):
        for fault in FAULTS:
            side.faults.set(fault, chance=0.04)
    for _ in range(count):
        load.rate()
    written = stage.wait_until(lambda: stage.writes()["app"] >= count, 60 + count)
    assert written, (stage.status(), stage.writes())
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.clear()
    load.assert_all_followed(90)
    struck = stage.box.wix.faults.struck + stage.box.reviews.faults.struck
    assert len([fault for fault in FAULTS if struck[fault]]) >= (
        3 if count < 100 else len(FAULTS)
    ), struck
    measured("ratings", count)
    measured("faults", sum(struck[fault] for fault in FAULTS))


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.long)])
@on(short="sqlite")
def test_one_change_is_one_write_although_redis_is_wiped_before_echoes(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    """One change is one write, although Redis is wiped between each write and its echo."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    wiped: list[str] = []

    def watch(moment: str, call: str) -> Response | None:
        """The write is done and its webhook under way; its writer does not know yet."""
        if moment == "done" and call.startswith(WRITES):
            wiped.extend([call] * wipe(stage.redis_url))
        return None

    stage.box.wix.faults.watch = stage.box.reviews.faults.watch = watch
    load = Load(stage, per_second=20)
    for _ in range(count):
        load.rate()
    load.assert_all_followed(60 + count)
    assert len(wiped) >= count
    measured("changes", count)
    measured("writes", stage.writes()["app"])


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.long)])
@on(short="sqlite")
def test_side_that_hangs_leaves_the_workers_to_the_other_side(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, seconds: int
) -> None:
    """Wix takes calls and answers none, while five times as much waits for it as there are
    slots.
    """
    stage: Stage = make_stage({f"product-{n}": f"SKU-{n}" for n in range(300)}, settings=database)
    emails = [f"person{number}@example.com" for number in range(40)]
    for email in emails:
        stage.add_person(email, "Person")
    ada = stage.add_person("ada@example.com", "Ada")
    stage.rate_on_wix(ada, "product-0", 40)  # she is known now
    assert stage.wait_until(
        lambda: len(stage.rated()) == 1 and not stage.differences() and stage.is_quiet(), 20
    )
    stage.box.wix.faults.set("hang", chance=1.0)
    for email in emails:
        stage.rate_on_external(email, "Person", "product-0", Decimal(4))
    waits: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        waits.append(follow_on_external(stage, ada, f"product-{len(waits) + 1}"))
        time.sleep(0.25)
    hung = stage.box.wix.faults.struck["hang"]
    # All slots may find out; after that one call in five seconds asks whether it is back.
    assert 0 < hung <= load_settings(database).slots + 2 + seconds // 5
    stage.box.wix.faults.clear()
    back_at = time.monotonic()
    assert stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 90), (
        stage.status()
    )
    assert len(stage.rated()) == len(emails) + len(waits) + 1
    assert stage.writes()["app"] == stage.writes()["visitor"] == len(stage.rated())
    measured("calls into the hanging side", hung)
    measured("other side, longest in s", max(waits))
    measured("other side, median in s", sorted(waits)[len(waits) // 2])
    measured("caught up after s", time.monotonic() - back_at)


@on(short="sqlite")
def test_refusal_of_15_seconds_on_both_sides_needs_nobody(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """Wix and the external system answer 401: all waits, and goes on by itself."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    load = Load(stage, per_second=20, people=6)
    refused: list[str] = []

    def refuse(moment: str, call: str) -> Response:
        refused.append(call)
        return Response('{"message": "unauthorized"}', 401, mimetype="application/json")

    stage.box.wix.faults.watch = stage.box.reviews.faults.watch = refuse
    began_at = time.monotonic()
    for _ in range(6):
        load.rate()
    assert stage.wait_until(lambda: bool(stage.status().failing_accounts), 15)
    time.sleep(max(0.0, began_at + 15 - time.monotonic()))
    stage.box.wix.faults.watch = stage.box.reviews.faults.watch = None
    assert stage.wait_until(lambda: not stage.status().held, 100), stage.status()
    load.assert_all_followed(60)
    assert not stage.status().failing_accounts
    measured("refused calls", len(refused))


def follow_on_external(stage: Stage, contact: str, product: str) -> float:
    """A new rating on the site; the seconds until the external side shows it."""
    started = time.monotonic()
    stage.rate_on_wix(contact, product, 80)
    found = stage.wait_until(
        lambda: bool(stage.box.reviews.find(stage.products[product], "ada@example.com")), 15
    )
    assert found, "the side that is well has to wait for the one that hangs"
    return time.monotonic() - started


@pytest.mark.parametrize("count", [80, pytest.param(10_000, marks=pytest.mark.long)])
@on(short="sqlite", long=("postgres",))
def test_burst_is_accepted_at_once_and_drained_within_the_budget(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    """All of it comes on the external side; Wix counts calls as it does in earnest, and refuses
    none.
    """
    per_minute, capacity = (600, 24) if count < 1000 else (6000, 240)
    budget = {"WIX_BUDGET_PER_MINUTE": str(per_minute * 0.96), "WIX_BUDGET_CAPACITY": str(capacity)}
    options = SandboxOptions(**{**QUICK, "rate_per_minute": per_minute})
    stage: Stage = make_stage(PRODUCTS, settings={**database, **budget}, options=options)
    people = [f"person{number}@example.com" for number in range(count // 20)]
    for email in people:
        stage.add_person(email, "Person")
    assert stage.wait_until(stage.is_quiet, 60)
    came: list[float] = []

    def watch(moment: str, call: str) -> None:
        if moment == "arrived" and "token" not in call:
            came.append(time.monotonic())

    stage.box.wix.faults.watch = watch
    started = time.monotonic()
    for number in range(count):
        stage.rate_on_external(people[number // 20], "Person", f"product-{number % 20}", Decimal(4))
    assert stage.wait_until(lambda: not stage.box.reviews.webhooks.pending(), 30 + count / 50)
    statuses = Counter(
        status for sending in stage.box.reviews.webhooks.sent for status in sending.statuses
    )
    accepted = time.monotonic() - started
    assert set(statuses) == {200}
    assert stage.wait_until(
        lambda: len(stage.box.wix.ratings) == count and stage.is_quiet(), 60 + 4 * count
    )
    assert stage.differences() == []
    assert stage.writes() == {"visitor": count, "app": count}
    assert stage.box.wix.calls["limited"] == 0
    assert_within_budget(came, per_minute / 60, capacity)
    measured("events", count)
    measured("accepted within s", accepted)
    measured("drained within s", time.monotonic() - started)


def assert_within_budget(came: list[float], per_second: float, capacity: float) -> None:
    """In no stretch of time more calls than the bucket gives; eight may have been late on their
    way.
    """
    for first in range(len(came)):
        for last in range(first + 1, min(len(came), first + 500)):
            assert last - first <= capacity + per_second * (came[last] - came[first]) + 8
