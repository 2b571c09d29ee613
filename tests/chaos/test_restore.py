"""An older backup of the ledger comes back while both sides have gone on: in recovery nothing is
deleted (R11).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from sqlalchemy import make_url

from sync_sandbox.stage import Stage
from tests.chaos.strikes import wipe
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(180)]

PRODUCTS = {"beans": "SKU-1", "tea": "SKU-2", "cups": "SKU-3"}
EMAIL = "ada@example.com"


def ratings_sync(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command(words, stage.folder, {**stage.everything, "REDIS_URL": stage.redis_url})


def test_restored_ledger_deletes_nothing_before_somebody_has_looked(make_stage: StageMaker) -> None:
    stage: Stage = make_stage(PRODUCTS)
    ada = stage.add_person(EMAIL, "Ada")
    beans = stage.rate_on_wix(ada, "beans", 80)
    stage.rate_on_wix(ada, "tea", 60)
    assert stage.wait_until(
        lambda: len(stage.rated()) == 2 and not stage.differences() and stage.is_quiet(), 20
    )
    file = Path(str(make_url(stage.wiring.settings.database).database))
    back_up(file, file.with_name("backup.db"))
    stage.rate_on_external(EMAIL, "Ada", "cups", Decimal(5))  # the backup does not know it
    assert stage.wait_until(
        lambda: len(stage.rated()) == 3 and not stage.differences() and stage.is_quiet(), 20
    )

    for name in ("worker 1", "scheduler", "gateway"):
        process = stage.parts.parts[name].child.process
        os.killpg(
            process.pid, signal.SIGKILL
        )  # the whole group: an orphan would store into what is restored
        process.wait()
    stage.wiring.close()
    back_up(file.with_name("backup.db"), file)
    wipe(stage.redis_url)
    assert "recovery" in ratings_sync(stage, "site", "recover").stdout
    for name in ("worker 1", "scheduler", "gateway"):
        stage.parts.restart(name)
    assert stage.wait_until(lambda: is_open(stage), 30)  # senders give up in a moment here
    stage.box.reviews.remove(stage.external_id(EMAIL, "tea"), by="visitor")
    stage.change_on_wix(beans, 40)
    stage.box.wix.webhooks.again(stage.wix_id(EMAIL, "cups"))
    assert stage.box.flush(40)  # what found the door closed comes again at once

    assert stage.wait_until(lambda: held(stage) == {"site_recovery": 1} and stage.is_quiet(), 40), (
        held(stage)
    )
    assert stage.wait_until(lambda: unlike(stage) == [("tea", Decimal(60))], 20), unlike(stage)
    refused = ratings_sync(stage, "reconcile", "--yes")
    assert refused.returncode != 0
    assert "in recovery" in refused.stderr
    looked = ratings_sync(stage, "reconcile", "--dry-run", "--json")
    assert looked.returncode == 0, looked.stderr
    assert len(stage.box.wix.ratings) == 3

    assert "1 deliveries released" in ratings_sync(stage, "site", "resume").stdout
    assert stage.wait_until(lambda: not stage.differences() and stage.is_quiet(), 30)
    assert {one.product for one in stage.rated()} == {"beans", "cups"}


def back_up(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as here, sqlite3.connect(target) as there:
        here.backup(there)
    here.close()
    there.close()


def is_open(stage: Stage) -> bool:
    try:
        return requests.get(f"{stage.parts.gateway_url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def unlike(stage: Stage) -> list[tuple[str, Decimal | None]]:
    return [(one.product, one.wix) for one in stage.differences()]


def held(stage: Stage) -> dict[str, int]:
    return dict(stage.status().held)
