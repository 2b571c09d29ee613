"""Many sites behind a few doors: each answers to its own credentials only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sync_sandbox.many_sites import KINDS, ManySite, ManySites
from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.fera import Fera
from sync_sandbox.platforms.woocommerce import WooCommerce

VISITOR = "ada@example.com"


@pytest.fixture(scope="module")
def many() -> Iterator[ManySites]:
    """Two sites of each kind, each with a rating of the same person."""
    with ManySites() as served:
        for number in range(2 * len(KINDS)):
            served.add().rate_outside(VISITOR, 1 + number % 5)
        yield served


def reviews_of(site: ManySite, asked_as: ManySite) -> requests.Response:
    """The reviews of a site, asked for with the credentials of a site of the same kind."""
    platform, theirs, root = asked_as.platform, site.platform, site.base_url.rpartition("/shops")[0]
    match platform, theirs:
        case WooCommerce(), _:
            login = (platform.key, platform.key_secret)
            path = "/wp-json/wc/v3/products/reviews"
            return requests.get(f"{site.base_url}{path}", auth=login, timeout=5)
        case BigCommerce(), BigCommerce():
            token = {"X-Auth-Token": platform.access_token}
            path = f"/stores/{theirs.store_hash}/v3/catalog/products/101/reviews"
            return requests.get(f"{root}{path}", headers=token, timeout=5)
        case Fera(), _:
            key = {"SECRET-KEY": platform.secret_key}
            return requests.get(f"{root}/v3/private/reviews", headers=key, timeout=5)
        case _:
            raise AssertionError(platform)


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_each_shop_shows_its_own_reviews(many: ManySites, number: int) -> None:
    """Under the same id, of the same person."""
    for site in (many.sites[number], many.sites[number + len(KINDS)]):
        answer = reviews_of(site, site)
        found = answer.json() if isinstance(answer.json(), list) else answer.json()["data"]
        assert [one["rating"] for one in found] == [1 + site.number % 5]


@pytest.mark.parametrize("kind", [WooCommerce, BigCommerce])
def test_key_of_another_shop_is_refused(many: ManySites, kind: type) -> None:
    one, other = (site for site in many.sites if isinstance(site.platform, kind))
    assert reviews_of(one, other).status_code == 401


def test_token_of_wix_shows_its_own_site(many: ManySites) -> None:
    settings = many.settings("")
    for site in many.sites[:2]:
        site.rate_on_wix("bob@example.com", 2 + site.number)
        asked = {
            "grant_type": "client_credentials",
            "client_id": settings["WIX_APP_ID"],
            "client_secret": settings["WIX_APP_SECRET"],
            "instance_id": site.wix.instance_id,
        }
        url = settings["WIX_API_BASE_URL"]
        token = requests.post(f"{url}/oauth2/token", json=asked, timeout=5).json()["access_token"]
        found = requests.post(
            f"{url}/ratings/v1/ratings/query",
            json={"query": {}},
            headers={"Authorization": token},
            timeout=5,
        )
        assert [one["value"] for one in found.json()["ratings"]] == [20 * (2 + site.number)]
    assert requests.get(f"{url}/apps/v1/instance", timeout=5).status_code == 401
