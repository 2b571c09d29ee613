"""A site comes to work by steps that can be left and resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from sync_sandbox.products import Product
from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import AccountState, Site, SiteState
from sync_worker.doctor.live.site_steps import onboarding_of
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.services.onboarding.onboarding import Onboarding
from sync_worker.services.onboarding.steps import ASKS, Progress, Step, StepState
from sync_worker.wiring import Wiring
from sync_worker.wiring.site_opening import SiteOpening
from tests.integration.catalogue_shop import CLOCK, Shop, kept_shops, opener
from tests.integration.shell import Shell

pytestmark = pytest.mark.full

ME = "test:me"


@pytest.fixture(scope="module")
def shops() -> Iterator[dict[str | None, Shop]]:
    with kept_shops() as kept:
        yield kept


@pytest.fixture
def shop(shops: dict[str | None, Shop], tmp_path: Path) -> Shop:
    """Nothing is mapped, and no step was done."""
    opened = opener(shops, tmp_path)("woocommerce")
    assert opened.box.platform is not None
    opened.box.platform.catalogue = [Product("7", "Cup", "M-1"), Product("8", "tea pot")]
    opened.box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w2", "Tea Pot")]
    with opened.wiring.admin.engine.begin() as connection:
        for table in ("entity_proposal", "onboarding", "entity_map", "run", "hook_state"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
    return opened


def service(shop: Shop) -> Onboarding:
    return onboarding_of(shop.wiring)


def states(progress: Progress) -> dict[str, str]:
    return {str(line.step): str(line.state) for line in progress.lines}


def test_steps_go_on_to_the_first_that_needs_a_person(shop: Shop) -> None:
    """What is done stays done for another process, and each yes goes one step further."""
    progress = service(shop).go_on(shop.site, ME)
    done = dict.fromkeys(("installed", "account", "probe"), "done")
    later = dict.fromkeys(("catalogues", "pairs", "scale", "dry_run", "start"), "to_do")
    # Nobody has said that the webhooks were made, and none has come.
    assert states(progress) == {**done, "webhooks": "waits", **later}, progress
    progress = service(shop).go_on(shop.site, ME, [Step.WEBHOOKS])
    done |= dict.fromkeys(("webhooks", "catalogues"), "done")
    later = dict.fromkeys(("scale", "dry_run", "start"), "to_do")
    assert states(progress) == {**done, "pairs": "waits", **later}, progress
    assert "2 pairs to confirm: 1 by name, 1 by sku" in progress.line(Step.PAIRS).words
    assert "connector webhooks register" in progress.line(Step.WEBHOOKS).words
    progress = service(shop).go_on(shop.site, ME, [Step.PAIRS])
    assert progress.line(Step.PAIRS).words == "2 pairs mapped, 0 held deliveries go on"
    assert progress.following is not None
    assert progress.following.step is Step.SCALE
    assert "overall" in progress.following.words
    progress = service(shop).go_on(shop.site, ME, [Step.SCALE])
    assert progress.line(Step.DRY_RUN).state is StepState.DONE
    assert "writes: none" in progress.line(Step.DRY_RUN).words
    assert progress.following is not None
    assert progress.following.step is Step.START
    progress = service(shop).go_on(shop.site, ME, ASKS)
    assert progress.is_finished
    # The workers take up what is open.
    due = shop.wiring.sweeps.runs.due_runs()
    assert due.is_due(shop.site.id, RunKind.SWEEP, 1e9)
    told = [entry.what for entry in shop.wiring.accounts.store.audit.of_site(shop.site.id)]
    assert told[:3] == ["onboard.start", "onboard.scale", "onboard.pairs"]


def test_first_webhook_that_comes_says_that_they_are_made(shop: Shop) -> None:
    shop.wiring.admin.hook_states.note_heard(shop.site.external_source)
    progress = service(shop).go_on(shop.site, ME)
    assert progress.line(Step.WEBHOOKS).state is StepState.DONE
    assert progress.following is not None
    assert progress.following.step is Step.PAIRS


def test_failed_step_says_why_and_succeeds_once_it_is_mended(shop: Shop) -> None:
    shop.box.wix.catalog.version, before = "V2_CATALOG", shop.box.wix.catalog.version
    try:
        progress = service(shop).go_on(shop.site, ME, [Step.WEBHOOKS])
    finally:
        shop.box.wix.catalog.version = before
    assert progress.following is not None
    assert (progress.following.step, progress.following.state) == (
        Step.CATALOGUES,
        StepState.FAILED,
    )
    assert "Wix does not say which catalogue" in progress.following.words
    progress = service(shop).go_on(shop.site, ME)
    assert progress.line(Step.CATALOGUES).state is StepState.DONE


def test_yes_to_no_pairs_is_not_enough_where_nothing_is_mapped(shop: Shop) -> None:
    """Nothing of such a site could cross: whoever wants that skips the step, with a reason."""
    assert shop.box.platform is not None
    shop.box.platform.catalogue, shop.box.wix.catalog.products = [], []
    following = service(shop).go_on(shop.site, ME, ASKS).following
    assert following is not None
    assert (following.step, following.state) == (Step.PAIRS, StepState.WAITS)
    assert "do without this step" in following.words
    service(shop).skip(shop.site, Step.PAIRS, "mapped later", ME)
    assert service(shop).go_on(shop.site, ME, ASKS).is_finished


def test_step_may_be_skipped_with_a_reason_and_done_again(shop: Shop) -> None:
    onboarding = service(shop)
    onboarding.go_on(shop.site, ME, (Step.WEBHOOKS,))
    progress = onboarding.skip(shop.site, Step.PAIRS, "mapped later", ME)
    assert progress.line(Step.PAIRS).words == "mapped later"
    following = onboarding.go_on(shop.site, ME).following
    assert following is not None
    assert following.step is Step.SCALE
    progress = onboarding.again(shop.site, Step.CATALOGUES, ME)
    assert progress.following is not None
    assert progress.following.step is Step.CATALOGUES
    with pytest.raises(Misconfigured, match="the step account cannot be left out"):
        onboarding.skip(shop.site, Step.ACCOUNT, "no", ME)


def opening(shop: Shop, *, has_keys: bool) -> SiteOpening:
    settings = shop.wiring.settings
    if has_keys:
        settings = settings.model_copy(update={"secrets_key": SecretStr(new_key())})
    return SiteOpening(
        lambda: shop.wiring.admin, shop.wiring.connectors, settings, shop.wiring.remotes
    )


def test_second_installation_of_an_app_of_many_waits_for_its_account(shop: Shop) -> None:
    """The first has the one connector of the environment; nothing of the second is lost."""
    assert opening(shop, has_keys=False).open("second-instance") is None
    opened = opening(shop, has_keys=True).open("second-instance")
    assert opened is not None
    site, _ = opened
    assert (site.connector, site.external_source, site.is_at_work) == ("", "", False)
    assert site.why_at_rest == "no_account"
    progress = service(shop).progress(site)
    assert progress.line(Step.INSTALLED).actor == "wix:installed"
    progress = service(shop).go_on(site, ME, ASKS)
    assert progress.following is not None
    assert (progress.following.step, progress.following.state) == (Step.ACCOUNT, StepState.WAITS)
    # What nobody connected is no turn of anybody's: the first one goes on.
    assert opening(shop, has_keys=True).open("second-instance") is None


def test_command_takes_a_site_to_its_start(shop: Shop, tmp_path: Path) -> None:
    shell, site = Shell(tmp_path, shop.environ), ("--site", str(shop.site.id))
    told = json.loads(shell.good("onboard", "run", *site, "--json"))
    assert (told["finished"], told["next"]) == (False, "webhooks")
    told = json.loads(shell.good("onboard", "run", *site, "--confirm", "webhooks", "--json"))
    assert (told["finished"], told["next"]) == (False, "pairs")
    assert "↔ 7 Cup" in shell.good("onboard", "pairs", *site)
    mapped = json.loads(shell.good("onboard", "pairs", *site, "--confirm", "--json"))
    assert {name: what for name, what in mapped.items() if what} == {"added": 2}
    assert json.loads(shell.good("onboard", "run", *site, "--yes", "--json"))["finished"]
    assert "is at work" in shell.good("onboard", "status", *site)


def test_site_of_an_account_comes_from_its_installation_to_its_start(
    shop: Shop, tmp_path: Path
) -> None:
    """Nothing of the shop stands in the environment: its owner gives it as an account."""
    manifest = shop.manifest
    names = {one.name: one.name_in_environment(manifest.id) for one in manifest.settings}
    told = {"base_url": shop.box.reviews_url}
    values = {name: told.get(name) or shop.environ[there] for name, there in names.items()}
    environ = {key: text for key, text in shop.environ.items() if key not in names.values()}
    environ |= {"RATINGS_SYNC_HOME": str(tmp_path / "many"), "SECRETS_KEY": new_key()}
    environ["GATEWAY_PUBLIC_URL"] = "https://gw.example.com"
    wiring = Wiring(load_settings(environ), environ, CLOCK)
    opened = wiring.sites.open(shop.box.wix.instance_id)
    assert opened is not None
    site, _ = opened
    onboarding = onboarding_of(wiring)
    first = onboarding.go_on(site, ME, ASKS).following
    assert first is not None
    assert (first.step, first.state) == (Step.ACCOUNT, StepState.WAITS)
    account = wiring.accounts.add(site, manifest.id, values, ME)
    site = wiring.admin.sites.find(str(site.id))
    progress = onboarding.go_on(site, ME)
    assert "secrets: they open" in progress.line(Step.PROBE).words, progress
    assert account.public_id in progress.line(Step.ACCOUNT).words
    probed = wiring.accounts.store.by_public_id(account.public_id)
    assert probed is not None
    assert probed.state is AccountState.ACTIVE
    assert progress.line(Step.WEBHOOKS).state is StepState.DONE
    assert progress.line(Step.PAIRS).words.startswith("2 pairs to confirm")
    assert onboarding.go_on(site, ME, ASKS).is_finished
    assert_told_of_the_next_address(wiring, site)
    assert_done_again_with_the_next_account(wiring, site, values)
    wiring.close()


def assert_told_of_the_next_address(wiring: Wiring, site: Site) -> None:
    """Webhooks that go to an address that ends are to be seen to; nothing else is."""
    account = wiring.accounts.store.of_site(site.id)
    assert account is not None
    address = wiring.accounts.rotate_address(account, ME)
    onboarding = onboarding_of(wiring)
    progress = onboarding.progress(site)
    assert [line.step for line in progress.lines if line.state is StepState.TO_DO] == [
        Step.WEBHOOKS
    ]
    progress = onboarding.go_on(site, ME)
    assert progress.is_finished
    assert address in progress.line(Step.ACCOUNT).words


def assert_done_again_with_the_next_account(
    wiring: Wiring, site: Site, values: dict[str, str]
) -> None:
    """What was done with an account that is no more, or before the app left, counts no longer."""
    account = wiring.accounts.store.of_site(site.id)
    assert account is not None
    onboarding = onboarding_of(wiring)
    gone = onboarding.progress(replace(site, state=SiteState.REMOVED)).following
    assert gone is not None
    assert (gone.step, gone.state) == (Step.INSTALLED, StepState.FAILED)
    wiring.accounts.revoke(account, "leak", ME)
    site = wiring.admin.sites.find(str(site.id))
    following = onboarding.go_on(site, ME, ASKS).following
    assert following is not None
    assert (following.step, following.state) == (Step.ACCOUNT, StepState.WAITS)
    assert "is revoked" in following.words
    given = wiring.accounts.add(site, account.connector, values, ME)
    site = wiring.admin.sites.find(str(site.id))
    progress = onboarding.progress(site)
    assert set(states(progress).values()) == {"done", "to_do"}
    assert progress.following is not None
    assert progress.following.step is Step.ACCOUNT
    assert given.public_id in onboarding.go_on(site, ME).line(Step.ACCOUNT).words
