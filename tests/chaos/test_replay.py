"""P16: what is held can be seen and replayed; pressing twice is safe."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from sync_sandbox.stage import Stage
from tests.chaos.conftest import Measured, on
from tests.chaos.load import PRODUCTS
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(180)]

HELD = 20


@on(short="sqlite")
def test_twenty_held_deliveries_replayed_thrice_have_one_effect_each(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """Twenty held deliveries replayed twice at once and once more have one effect each."""
    stage: Stage = make_stage(PRODUCTS, settings=database)
    emails = [f"stranger{number}@example.com" for number in range(HELD)]
    for email in emails:
        stage.rate_on_external(email, "Stranger", "product-1", Decimal(4))
    assert stage.wait_until(lambda: stage.status().held == {"unknown_contact": HELD}, 30)
    stage.box.wix.webhooks.url = (
        None  # nobody tells that they are contacts now: only a person's replay can know
    )
    for email in emails:
        stage.add_person(email, "Stranger")
    environ = {**stage.everything, "REDIS_URL": stage.redis_url}

    def press(*words: str) -> str:
        return run_command([*words], stage.folder, environ).stdout

    listed = json.loads(press("held", "--json"))
    assert len(json.dumps(listed).split("unknown_contact")) > HELD
    with ThreadPoolExecutor(2) as pool:
        for told in pool.map(lambda _: press("replay", "--reason", "unknown_contact"), range(2)):
            assert "on their way" in told
    assert stage.wait_until(lambda: stage.is_quiet() and len(stage.box.wix.ratings) == HELD, 30), (
        stage.status()
    )
    press("replay", *map(str, range(1, HELD + 1)))
    assert stage.wait_until(stage.is_quiet, 30)
    assert stage.differences() == []
    assert stage.writes() == {"visitor": HELD, "app": HELD}
    measured("replayed", HELD)
