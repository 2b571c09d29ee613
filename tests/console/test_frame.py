"""The frame of all pages, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.services.access.who import Role
from tests.console.looking import Console

pytestmark = pytest.mark.full


def test_overview_has_no_fault_in_any_theme_or_width(console: Console) -> None:
    console.check("/")


def test_keys_are_listed_and_can_be_switched_off(console: Console) -> None:
    with console.open(Role.SUPPORT) as page:
        page.goto("/")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
