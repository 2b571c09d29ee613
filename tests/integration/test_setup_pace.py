"""`setup` and the first `reconcile` as a person types them, with the budgets that ship."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from sync_worker.manifest.loader import shipped_manifest
from tests.commands import run_command
from tests.integration.shell import ENTITIES
from tests.integration.shipped_pace import CONNECTORS, PRODUCTS, Shop, a_shop
from tests.integration.test_shipped_budgets import pages_of

pytestmark = pytest.mark.full

SPEED = 10  # times as fast as it ships: the clock of the budgets
WIX_PER_MINUTE = 192
RATINGS = 20


def faster(connector: str | None) -> str:
    """Lines of a manifest: the budget that ships, on a clock that is ahead."""
    if connector is None:
        return ""
    shipped = yaml.safe_load(shipped_manifest(connector).read_text())["http"]["budget"]
    return f"http: {{budget: {{per_s: {shipped['per_s'] / SPEED}}}}}\n"


def typed(shop: Shop, folder: Path, *words: str, answers: str = "") -> str:
    """What a command that ends well has said, beside no Redis and no worker."""
    more = {"PATH": os.environ["PATH"], "RATINGS_SYNC_HOME": str(folder / "fresh")}
    more["WIX_BUDGET_PER_MINUTE"] = str(WIX_PER_MINUTE * SPEED)
    done = run_command(words, folder, shop.environ | more, 120, answers)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "budget is used up" not in said
    assert "not now" not in said
    return done.stdout


@pytest.mark.parametrize("platform", CONNECTORS)
def test_setup_and_baseline_end_within_the_budgets(tmp_path: Path, platform: str | None) -> None:
    """Everybody is matched, every rating is on both sides, and each side was called but once."""
    with a_shop(tmp_path, platform, more=faster(platform)) as shop:
        shop.add_people(RATINGS // 10)
        for number in range(RATINGS // 2):
            shop.rate_outside(number)
            shop.rate_on_wix(RATINGS // 2 + number)
        pairs = "".join(f"reviews,stores,{one},,{other}\n" for one, other in PRODUCTS.items())
        (tmp_path / "entities.csv").write_text(ENTITIES + pairs)
        answers = f"{shop.box.wix.instance_id}\nfile\nentities.csv\ny\ny\n"
        said = typed(shop, tmp_path, "setup", "--wix-api", "ratings", answers=answers)
        assert f"{RATINGS // 20} contacts mapped" in said
        shop.calls()
        baseline = json.loads(typed(shop, tmp_path, "reconcile", "--yes", "--json"))
        wix, external = shop.calls()
        half = RATINGS // 2
        assert baseline["written"] == {"create on wix": half, "create on external": half}
        assert baseline["counts"]["outcome_synced"] == RATINGS
        assert wix.total() <= 1.1 * RATINGS, wix
        assert external.total() - pages_of(shop, half) <= 1.1 * RATINGS, external
        again = json.loads(typed(shop, tmp_path, "reconcile", "--yes", "--json"))
        assert again["plan"]["outcomes"] == {"in_step": 2 * RATINGS}
