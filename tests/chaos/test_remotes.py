"""P9, P10, P11, P19: the remotes hang, fail, refuse and echo; no change is lost, doubled or held up by another."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal

import pytest
from flask import Response

from sandbox.server import SandboxOptions
from sandbox.stage import Stage
from tests.chaos.conftest import Measured, on
from tests.chaos.load import PRODUCTS, Load
from tests.chaos.strikes import wipe
from tests.end_to_end.conftest import QUICK, StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.alone, pytest.mark.timeout(900)]

FAULTS = ("request_lost", "response_lost", "gateway_timeout", "unavailable", "limited", "limited_silently", "drip")
WRITES = ("POST /v1/ratings", "PATCH /ratings/v1", "DELETE /ratings/v1", "POST /ratings/v1", "PATCH /v1/ratings")


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.long)])
@on(short="sqlite")
def test_remotes_that_fail_in_every_way_lose_and_double_no_rating(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    """A tenth of the calls meets each of seven faults, on both sides."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    load = Load(stage, per_second=20)
    for side in (stage.box.wix, stage.box.reviews):
        for fault in FAULTS:
            side.faults.set(fault, chance=0.1 if fault != "drip" else 0.02)
    for _ in range(count):
        load.rate()
    written = stage.wait_until(lambda: stage.writes()["app"] >= count, 60 + count)
    assert written, (stage.status(), stage.writes())
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.clear()
    load.assert_all_followed(90)
    struck = stage.box.wix.faults.struck + stage.box.reviews.faults.struck
    assert all(struck[fault] for fault in FAULTS if fault != "drip"), struck
    measured("ratings", count)
    measured("faults", sum(struck[fault] for fault in FAULTS))


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.long)])
@on(short="sqlite")
def test_one_change_is_one_write_although_redis_is_wiped_between_each_write_and_its_echo(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    stage: Stage = make_stage(PRODUCTS, settings=database)
    wiped: Counter[str] = Counter()

    def watch(moment: str, call: str) -> Response | None:
        """The write is done and its webhook under way; its writer does not know yet."""
        if moment == "done" and call.startswith(WRITES):
            wiped[call.split()[0]] += wipe(stage.redis_url)
        return None

    stage.box.wix.faults.watch = stage.box.reviews.faults.watch = watch
    load = Load(stage, per_second=20)
    for _ in range(count):
        load.rate()
    load.assert_all_followed(60 + count)
    assert sum(wiped.values()) >= count
    measured("changes", count)
    measured("writes", stage.writes()["app"])


@pytest.mark.parametrize("seconds", [12, pytest.param(60, marks=pytest.mark.long)])
@on(short="sqlite")
def test_side_that_hangs_leaves_the_workers_to_the_other_side(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, seconds: int
) -> None:
    """Wix takes calls and answers none, with more waiting for it than there are slots."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    load = Load(stage, per_second=1, people=40)
    email, ada = "ada@example.com", stage.add_person("ada@example.com", "Ada")
    stage.rate_on_wix(ada, "product-19", 40)  # a token is there
    assert stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 20)
    stage.box.wix.faults.set("hang", chance=1.0)
    calls_before = stage.box.wix.faults.struck["hang"]
    for number in range(40):
        stage.rate_on_external(f"person{number}@example.com", "Person", f"product-{number % 10}", Decimal(4))
    waits = [follow_on_external(stage, ada, f"product-{number}") for number in range(10, 14)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        waits.append(follow_on_external(stage, ada, "product-14"))
    hung = stage.box.wix.faults.struck["hang"] - calls_before
    assert stage.box.wix.journal[-1]["by"] == "visitor", "Wix has answered"
    # Eight slots found out; after that, one call in five seconds of each process asks whether it is back.
    assert hung <= 8 + 4 + (seconds + 20) // 5
    stage.box.wix.faults.clear()
    back_at = time.monotonic()
    assert stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 90), stage.status()
    assert stage.rated()
    assert len([one for one in stage.rated() if one.email != email]) == 40
    assert load.count == 0
    waits.sort()
    measured("calls into the hanging side", hung)
    measured("other side, longest in s", waits[-1])
    measured("other side, median in s", waits[len(waits) // 2])
    measured("caught up after s", time.monotonic() - back_at)


def follow_on_external(stage: Stage, contact: str, product: str) -> float:
    """A change on the site; the seconds until the external side shows it."""
    started = time.monotonic()
    found = stage.box.wix.rating_id(contact, product)
    value = 80
    if found is None:
        stage.rate_on_wix(contact, product, value)
    else:
        value = 40 if stage.box.wix.ratings[found]["value"] == 80 else 80
        stage.change_on_wix(found, value)
    wanted = Decimal(value) / 20

    def has_followed() -> bool:
        shown = stage.box.reviews.find(stage.products[product], "ada@example.com")
        return bool(shown) and Decimal(shown[0]["score"]) == wanted

    assert stage.wait_until(has_followed, 25), "the side that is well has to wait for the one that hangs"
    return time.monotonic() - started


@pytest.mark.parametrize("count", [120, pytest.param(10_000, marks=pytest.mark.long)])
@on(short="sqlite", long=("postgres",))
def test_burst_is_accepted_at_once_and_drained_within_the_budget(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, count: int
) -> None:
    """All of it comes on the external side; Wix counts calls as it does in earnest, and refuses none."""
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
    statuses = Counter(status for sending in stage.box.reviews.webhooks.sent for status in sending.statuses)
    accepted = time.monotonic() - started
    assert set(statuses) == {200}
    assert stage.wait_until(lambda: len(stage.box.wix.ratings) == count and stage.is_quiet(), 60 + 4 * count)
    assert stage.differences() == []
    assert stage.writes() == {"visitor": count, "app": count}
    assert stage.box.wix.calls["limited"] == 0
    assert_within_budget(came, per_minute / 60, capacity)
    measured("events", count)
    measured("accepted within s", accepted)
    measured("drained within s", time.monotonic() - started)


def assert_within_budget(came: list[float], per_second: float, capacity: float) -> None:
    """In no stretch of time more calls than the bucket gives; eight may have been late on their way."""
    for first in range(len(came)):
        for last in range(first + 1, min(len(came), first + 500)):
            assert last - first <= capacity + per_second * (came[last] - came[first]) + 8
