"""By what a remembered token and a first look are told from those of another account."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.manifest.loader import account_manifests
from sync_worker.manifest.source.values import Given
from sync_worker.remotes.external.auth import account_mark
from tests.unit.manifest.test_account_manifests import ONE
from tests.unit.manifest.test_settings import SMALL, written


@pytest.mark.parametrize(
    "changed",
    [{"base_url": "https://two.example.org"}, {"token": "t-two"}, {"region": "us"}],
    ids=lambda changed: next(iter(changed)),
)
def test_mark_changes_with_where_and_as_whom(tmp_path: Path, changed: dict[str, str]) -> None:
    made = account_manifests(written(tmp_path, SMALL), {})
    before = account_mark(made.of("small-shop/aaa", Given(ONE)))
    assert account_mark(made.of("small-shop/aaa", Given(ONE))) == before
    assert account_mark(made.of("small-shop/aaa", Given(ONE | changed))) != before
    assert "t-one" not in before


def test_secret_of_webhooks_alone_changes_no_mark(tmp_path: Path) -> None:
    """Its rotation must not cost a new token."""
    made = account_manifests(written(tmp_path, SMALL), {})
    before = account_mark(made.of("small-shop/aaa", Given(ONE)))
    rotated = made.of("small-shop/aaa", Given(ONE | {"hook_secret": "s-two"}))
    assert account_mark(rotated) == before
