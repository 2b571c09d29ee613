"""The stand-in dashboard: what an owner, a visitor and the app get from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import jwt
import pytest
import requests

from sync_sandbox.dashboard.dashboard import Dashboard
from sync_sandbox.dashboard.instance import ANONYMOUS, EXPIRED, FORGED, signed_instance
from sync_sandbox.dashboard.pages import USED
from sync_sandbox.dashboard.sites import OwnerSite
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.services.access.owners import InstanceRefused, OwnerRules, verified

NOWHERE = "http://127.0.0.1:9"  # nobody listens there
WIX_APP = {"grant_type": "client_credentials", "client_id": "sandbox-app"}
WIX_APP |= {"client_secret": "sandbox-app-secret"}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(rate_per_minute=None, has_dashboard=True)) as box:
        box.send_webhooks_to(NOWHERE)
        yield box


@pytest.fixture
def dashboard(box: Sandbox) -> Dashboard:
    assert box.dashboard is not None
    box.dashboard.console_url = "http://127.0.0.1:8720"
    return box.dashboard


@pytest.fixture
def site(dashboard: Dashboard) -> OwnerSite:
    """One more site, without the app."""
    return dashboard.sites.add()


def page(dashboard: Dashboard, path: str) -> str:
    answer = requests.get(f"{dashboard.url}{path}", timeout=5)
    assert answer.status_code == 200
    return answer.text


def send(dashboard: Dashboard, path: str, **fields: str) -> requests.Response:
    return requests.post(f"{dashboard.url}{path}", data=fields, timeout=5)


def told(site: OwnerSite) -> list[str]:
    """What the app was told of the site, as Wix names it."""
    bodies = [sending.sign()[0] for sending in site.wix.webhooks.sent]
    claims = [jwt.decode(one, site.wix.public_key, algorithms=["RS256"]) for one in bodies]
    return [one["data"].partition('"eventType":"')[2].partition('"')[0] for one in claims]


def why_refused(site: OwnerSite, fault: str) -> str:
    """By the product's own check; empty: it lets in the owner of this site."""
    rules = OwnerRules(site.wix.app_secret, site.wix.app_id, 600)
    try:
        found = verified(signed_instance(site.wix, fault), rules, datetime.now(UTC))
    except InstanceRefused as refused:
        return refused.reason
    assert found.instance_id == site.wix.instance_id
    return ""


@pytest.mark.parametrize(
    ("fault", "why"),
    [("", ""), (FORGED, "forged"), (EXPIRED, "expired"), (ANONYMOUS, "anonymous")],
)
def test_instance_is_one_that_wix_signs_or_has_one_fault(
    site: OwnerSite, fault: str, why: str
) -> None:
    assert why_refused(site, fault) == why


def test_app_hears_of_a_site_only_from_its_installation_on(
    dashboard: Dashboard, site: OwnerSite
) -> None:
    path, rating = f"/sites/{site.number}", {"person": "ada@example.com", "stars": "4"}
    send(dashboard, f"{path}/storefront", product="wix-cup", **rating)
    assert told(site) == []
    for _ in range(2):
        send(dashboard, f"{path}/install")
    assert told(site) == ["AppInstalled"]
    send(dashboard, f"{path}/storefront", product="wix-teapot", **rating)
    assert "wix.reviews.v1.review_created" in told(site)


def test_page_of_the_app_opens_with_a_new_instance_each_time(
    dashboard: Dashboard, site: OwnerSite
) -> None:
    path = f"/sites/{site.number}"
    assert "<iframe class" not in page(dashboard, path)
    send(dashboard, f"{path}/install")
    addresses = [_framed(page(dashboard, path)) for _ in range(2)]
    assert addresses[0] != addresses[1]
    assert _instance(_framed(page(dashboard, f"{path}?try={USED}"))) == _instance(addresses[1])
    assert addresses[0].startswith("http://127.0.0.1:8720/owner?instance=")


def _framed(text: str) -> str:
    return text.partition('<iframe class="app" src="')[2].partition('"')[0]


def _instance(address: str) -> str:
    return address.partition("instance=")[2].partition("&")[0]


def test_dashboard_may_frame_the_console_and_runs_no_script_of_others(dashboard: Dashboard) -> None:
    policy = requests.get(dashboard.url, timeout=5).headers["Content-Security-Policy"]
    assert "frame-src 'self' http://127.0.0.1:8720" in policy
    assert "default-src 'none'; script-src 'self'" in policy


def test_second_rating_of_a_person_changes_the_first(dashboard: Dashboard, site: OwnerSite) -> None:
    for place, product, stars in (("storefront", "wix-cup", "2"), ("shop", "502", "2.5")):
        fields = {"person": "cleo@example.com", "product": product}
        path = f"/sites/{site.number}/{place}"
        send(dashboard, path, **fields, stars="5", title="Good")
        send(dashboard, path, **fields, stars=stars, title="Cracked")
        shown = page(dashboard, path)
        assert f"{stars} of 5" in shown
        assert "Cracked" in shown
        assert "Good" not in shown


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("storefront", {"person": "nobody@example.com", "product": "wix-cup", "stars": "5"}),
        ("storefront", {"person": "ada@example.com", "product": "wix-cup", "stars": "6"}),
        ("shop", {"person": "ada@example.com", "product": "502", "stars": "0"}),
        ("shop/webhooks", {"address": "the account's page"}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    dashboard: Dashboard, site: OwnerSite, path: str, fields: dict[str, str]
) -> None:
    answer = send(dashboard, f"/sites/{site.number}/{path}", **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_token_of_wix_shows_its_own_site(box: Sandbox, site: OwnerSite) -> None:
    """All sites have one address of Wix, as they have in reality; the demo's own is one of them."""
    shown = {}
    for wix in (box.wix, site.wix):
        asked = {**WIX_APP, "instance_id": wix.instance_id}
        token = requests.post(f"{box.wix_url}/oauth2/token", json=asked, timeout=5).json()
        header = {"Authorization": token["access_token"]}
        url = f"{box.wix_url}/apps/v1/instance"
        instance = requests.get(url, headers=header, timeout=5).json()["instance"]
        shown[wix.instance_id] = instance["instanceId"]
    assert shown == {one: one for one in (box.wix.instance_id, site.wix.instance_id)}


def test_shop_takes_its_own_token_and_no_other_s(dashboard: Dashboard, site: OwnerSite) -> None:
    other = dashboard.sites.add()
    statuses = [
        requests.get(
            f"{site.base_url}/v1/subjects",
            headers={"Authorization": f"Bearer {shop.token}"},
            timeout=5,
        ).status_code
        for shop in (site.shop, other.shop)
    ]
    assert statuses == [200, 401]
    assert send(dashboard, "/sites/999/shop").status_code == 404
