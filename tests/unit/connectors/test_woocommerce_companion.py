"""The companion file for WooCommerce shops, run by a real PHP with as much of WordPress as it uses.

Where there is no ``php`` (Debian: ``apt-get install php-cli``), only its text is looked at.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.manifest.source.resolving import Placeholders

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "docs" / "woocommerce" / "ratings-sync-webhooks.php"
STAGE = ROOT / "tests" / "php" / "companion.php"
PHP = shutil.which("php")


def php(*words: str) -> str:
    if PHP is None:
        pytest.skip("there is no php here: apt-get install php-cli")
    done = subprocess.run(
        [str(PHP), *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What each act of the stage told ratings-sync, and which products it counted anew."""
    made: dict[str, Any] = json.loads(php(str(STAGE), str(PLUGIN)))
    return made


@pytest.fixture(scope="module")
def told(report: dict[str, Any]) -> dict[str, Any]:
    """What each act of the stage told ratings-sync."""
    return {act: found["told"] for act, found in report.items()}


def test_companion_listens_to_all_that_happens_to_stars() -> None:
    """By its text, also where there is no PHP."""
    text = PLUGIN.read_text(encoding="utf-8")
    hooks = ("'added_comment_meta'", "'updated_comment_meta'", "'deleted_comment_meta'")
    assert all(text.count(hook) == 1 for hook in hooks)
    assert text.count("WC_Comments::clear_transients(") == 1


def test_companion_file_is_php() -> None:
    assert "No syntax errors" in php("-l", str(PLUGIN))


def test_companion_file_does_nothing_when_somebody_opens_it_in_a_browser() -> None:
    assert php(str(PLUGIN)) == ""


@pytest.mark.parametrize(
    ("act", "event"),
    [
        ("a review is inserted", "created"),
        ("its stars are stored", "updated"),
        ("its stars are changed", "updated"),
        ("its stars are taken away", "updated"),
        ("its text is edited", "updated"),
        ("it is held back", "updated"),
        ("it is put into the trash", "updated"),
        ("it is deleted for good", "deleted"),
    ],
)
def test_what_happens_to_a_review_is_told_once_with_its_number(
    told: dict[str, Any], act: str, event: str
) -> None:
    assert told[act] == [[f"woocommerce_rating_sync_{event}", 7]]


@pytest.mark.parametrize(
    "act",
    [
        "something else is stored",
        "a comment on a post is inserted",
        "that comment gets stars",
        "that comment is edited",
        "that comment is deleted",
        "an order note is inserted",
        "an unknown comment is edited",
    ],
)
def test_what_is_no_review_s_is_not_told(told: dict[str, Any], act: str) -> None:
    assert told[act] == []


STARS = ("its stars are stored", "its stars are changed", "its stars are taken away")


def test_product_is_counted_anew_after_each_change_of_stars(report: dict[str, Any]) -> None:
    """WooCommerce counts before it stores the stars of a write over REST: one write behind."""
    counted = {act for act, found in report.items() if found["recounted"]}
    assert counted == set(STARS)
    assert all(report[act]["recounted"] == [22] for act in STARS)


def test_every_topic_of_the_manifest_is_an_action_of_the_companion(
    told: dict[str, Any],
) -> None:
    """Every topic that the manifest registers is an action of the companion file."""
    webhook = load_manifest(shipped_manifest("woocommerce"), Placeholders({})).webhook
    assert webhook is not None
    assert webhook.manage is not None
    actions = {f"action.{one[0]}" for events in told.values() for one in events}
    assert set(webhook.manage.topics) == actions
