"""The first steps of a site have no fault in any theme or width, wherever it stands."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.core.values import EntityRef
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.services.access.who import Role
from sync_worker.services.onboarding.steps import Step, StepState
from tests.console.looking import Console

pytestmark = pytest.mark.full
BEFORE = (Step.INSTALLED, Step.ACCOUNT, Step.PROBE, Step.WEBHOOKS, Step.CATALOGUES)


def test_owner_sees_what_is_next(console: Console) -> None:
    admin = console.ground.admin
    number = len(admin.sites.all()) + 1
    site, _ = admin.sites.add(f"looked-at-{number}", f"shop-{number}", [])
    for step in BEFORE:
        words, made_with = f"✓ {step}", _made_with(step, site.external_source)
        note = admin.onboarding.note
        note(site.id, step, StepState.DONE, words, "owner", made_with=made_with)
    pair = ProposedPair(EntityRef("w1", "stores", "reviews"), EntityRef("7"), "sku", "Mug", "Cup")
    admin.proposals.replace(site.id, [pair])
    words = "1 pairs to confirm: 1 by sku"
    note = admin.onboarding.note
    note(site.id, Step.PAIRS, StepState.WAITS, words, "owner", made_with=site.external_source)
    path = f"/sites/{site.id}/onboarding"
    console.check(path, Role.OWNER, site.id)
    with console.open(Role.OWNER, site.id) as page:
        page.goto(path)
        expect(page.get_by_text("Mug ↔ Cup")).to_be_visible()
        page.get_by_role("button", name="These pairs are right").click()
        # Nobody works here, and Redis is nowhere: what was said is done all the same.
        expect(page.get_by_role("alert").or_(page.locator("main"))).to_contain_text("REDIS_URL")
        page.goto(path)
        expect(page.get_by_text("Mug ↔ Cup")).to_have_count(0)
    assert len(admin.mappings.entities(site.id)) == 1


def _made_with(step: Step, source: str) -> str:
    if step is Step.INSTALLED:
        return ""
    return f"{source} at " if step is Step.WEBHOOKS else source
