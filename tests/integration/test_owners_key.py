"""A site that its owner's API key opens, without an app: calls, settings, polls, and the app that
takes it over later.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side, Site, WixKind
from sync_worker.doctor.doctor import Doctor
from sync_worker.doctor.evidence import local_evidence
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.pace import Pace
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.services.door_troubles import refused_webhooks
from sync_worker.wiring import Wiring
from tests.commands import run_command

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]
APP = ("WIX_APP_ID", "WIX_APP_SECRET", "WIX_PUBLIC_KEY")


@dataclass
class Keyed:
    """Both stand-ins, and an installation that has the key of the site's owner alone."""

    box: Sandbox
    environ: dict[str, str]
    wiring: Wiring
    site: Site

    def again(self, **changes: str) -> Wiring:
        environ = self.environ | changes
        return Wiring(load_settings(environ), environ)

    def reconcile(self, kind: RunKind) -> Any:
        sweep = self.wiring.sweeps.runs.begin(self.site.id, kind)
        assert sweep is not None
        run = self.wiring.sweeps.reconcile(
            self.site, sweep, Pace(lambda seconds: None), lambda write: None
        )
        assert run.work()
        return run


@pytest.fixture
def keyed(tmp_path: Path, redis_server: EmbeddedRedis, redis: Any) -> Iterator[Keyed]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        settings = box.settings()
        environ = {name: value for name, value in settings.items() if name not in APP} | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "REDIS_KEY_PREFIX": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_API_KEY": box.wix.api_key,
            "WIX_SITE_ID": box.wix.site_id,
        }
        wiring = Wiring(load_settings(environ), environ)
        manifest = wiring.manifests["own-service"]
        site, _ = wiring.admin.sites.add(box.wix.site_id, manifest.id, [default_field(manifest)])
        pair = (EntityRef("product-1", "stores", "reviews"), EntityRef("SKU-1"))
        wiring.admin.mappings.import_entities(site, [pair])
        yield Keyed(box, environ, wiring, site)
        wiring.close()


def rate(keyed: Keyed, value: int) -> dict[str, Any]:
    contact = keyed.box.wix.add_contact("ada@example.com", "Ada")
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "product-1",
        "attributeName": "overall",
        "value": value,
        "owner": {"contactId": contact["id"]},
    }
    made: dict[str, Any] = keyed.box.wix.create_rating(rating, {"identityType": "MEMBER"})
    return made


def shown_outside(keyed: Keyed) -> list[Decimal]:
    return [Decimal(one["score"]) for one in keyed.box.reviews.ratings.values()]


def test_key_opens_the_site_and_polls_bring_over_what_wix_does_not_tell(keyed: Keyed) -> None:
    keyed.reconcile(RunKind.SWEEP)
    rating = rate(keyed, 80)
    listed = keyed.box.reviews.calls["list"]
    keyed.reconcile(RunKind.POLL)
    assert shown_outside(keyed) == [Decimal(4)]
    keyed.box.wix.ratings[rating["id"]] |= {"value": 40, "revision": "2"}
    keyed.reconcile(RunKind.POLL)
    assert shown_outside(keyed) == [Decimal(2)]
    # Its webhooks tell of the external side: the sweep alone has listed that.
    assert keyed.box.reviews.calls["list"] == listed


def test_poll_of_wix_is_due_at_its_own_pace(keyed: Keyed) -> None:
    assert keyed.wiring.sweeps._wix_polls() == {"own-service": 300.0}
    with_app = keyed.again(WIX_API_KEY="", WIX_SITE_ID="")
    assert with_app.sweeps._wix_polls() == {}
    with_app.close()


def test_doctor_and_status_expect_no_app_and_no_webhooks(keyed: Keyed) -> None:
    checks = {check.name: check for check in Doctor(keyed.wiring).checks()}
    wrong = {name for name, check in checks.items() if check.verdict == "bad"}
    # That nothing runs here is no matter of the key.
    assert wrong <= {"never compared", "nothing runs"}
    assert "no app" in checks["settings"].what
    assert checks["webhook keys"].verdict == "skipped"
    assert "wix" not in local_evidence(keyed.wiring).sources
    assert list(refused_webhooks(local_evidence(keyed.wiring))) == []


START = """
import os
from sync_worker.core.errors import Misconfigured
from webhook_gateway.settings import gateway_config
print(gateway_config().wix_keys)
os.environ["WIX_APP_ID"] = "app-1"
try:
    gateway_config()
except Misconfigured as error:
    print(error.message)
"""


@pytest.mark.full
def test_gateway_starts_without_a_public_key(keyed: Keyed) -> None:
    """An app needs one, also beside a key."""
    environ = {"PATH": os.environ["PATH"], **keyed.environ}
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    keys, refusal, *_ = done.stdout.splitlines()
    assert keys == "()"
    assert refusal.startswith("WIX_PUBLIC_KEY is not set")


@pytest.mark.parametrize("missing", ["WIX_API_KEY", "WIX_SITE_ID"])
def test_key_and_site_belong_together(keyed: Keyed, missing: str) -> None:
    with pytest.raises(Misconfigured, match="WIX_API_KEY and WIX_SITE_ID belong together"):
        _ = load_settings(keyed.environ | {missing: ""}).has_app


def test_key_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("IST.secret\n")
    settings = load_settings({"WIX_API_KEY_FILE": str(tmp_path / "key"), "WIX_SITE_ID": "site-1"})
    assert settings.wix_api_key.get_secret_value() == "IST.secret"
    assert not settings.has_app
    assert "IST.secret" not in repr(settings)


def test_installed_app_takes_the_site_over_with_all_that_it_has(keyed: Keyed) -> None:
    keyed.reconcile(RunKind.SWEEP)
    rate(keyed, 80)
    keyed.reconcile(RunKind.POLL)
    box, instance = keyed.box, keyed.box.wix.instance_id
    wiring = with_app(keyed)
    ledger = sql_ledger(wiring.admin.engine)
    # What came before anybody heard of the installation waits for it.
    event = NewDelivery(Side.WIX, instance, "event-1", Change.UPSERT, "rating-9", {})
    waiting = ledger.inbox.store(event).inbox_id
    ledger.inbox.hold_for_site(waiting, event)
    tokens = box.wix.calls["POST /oauth2/token"]
    opened = wiring.sites.open(instance)
    assert opened is not None
    taken, released = opened
    assert (taken.id, taken.instance_id, list(released)) == (keyed.site.id, instance, [waiting])
    assert [one.wix.entity_id for one in wiring.admin.mappings.entities(taken.id)] == ["product-1"]
    # Its links go on: a sweep by the app's own token finds both sides in step.
    keyed.wiring, keyed.site = wiring, taken
    run = keyed.reconcile(RunKind.SWEEP)
    assert run.sweep.counts.get("applied", 0) == 0
    assert box.wix.calls["POST /oauth2/token"] == tokens + 1
    assert wiring.sweeps._wix_polls() == {}
    wiring.close()


class Silent:
    def ring(self, inbox_ids: Any) -> None:
        return


def with_app(keyed: Keyed) -> Wiring:
    app = {name: value for name, value in keyed.box.settings().items() if name in APP}
    return keyed.again(**app)


def test_event_of_the_installation_takes_the_site_over(keyed: Keyed) -> None:
    """As a worker hears it; a second one changes nothing."""
    wiring, instance = with_app(keyed), keyed.box.wix.instance_id
    for number in (1, 2):
        event = NewDelivery(
            Side.WIX, instance, f"event-{number}", Change.APP_INSTALLED, instance, {}
        )
        inbox_id = sql_ledger(wiring.admin.engine).inbox.store(event).inbox_id
        assert str(wiring.intake(Silent()).process(inbox_id)) == "done site_installed"
    taken = wiring.admin.sites.find(None)
    assert (taken.id, taken.instance_id) == (keyed.site.id, instance)
    wiring.close()


def test_command_takes_a_site_over_after_it_asked_wix(keyed: Keyed, tmp_path: Path) -> None:
    box = keyed.box
    environ = {"PATH": os.environ["PATH"], **keyed.environ, **box.settings()}
    words = ("site", "set", "--instance", box.wix.instance_id)
    site_id, box.wix.site_id = box.wix.site_id, "33333333-0000-4000-8000-000000000003"
    refused = run_command(words, tmp_path, environ, 60)
    assert "maps of one are wrong on the other" in refused.stderr
    box.wix.site_id = site_id
    done = run_command(words, tmp_path, environ, 60)
    assert "maps and links stay" in done.stdout, done.stderr
    assert keyed.wiring.admin.sites.find(None).instance_id == box.wix.instance_id


def test_key_reads_reviews_too(keyed: Keyed) -> None:
    site = replace(keyed.site, wix_api=WixKind.REVIEWS)
    records = keyed.wiring.remotes.wix_records(site, time.sleep)
    assert isinstance(records, WixReviews)
    assert (records.count(), list(records.list_page().records)) == (0, [])


def test_app_on_another_site_takes_nothing_over(keyed: Keyed) -> None:
    box = keyed.box
    wiring = with_app(keyed)
    keyed.box.wix.site_id = "33333333-0000-4000-8000-000000000003"
    assert wiring.sites.open(box.wix.instance_id) is None
    assert wiring.admin.sites.find(None).instance_id == keyed.site.instance_id
    wiring.close()
